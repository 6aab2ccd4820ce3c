/** One operation under way. libfuse knows who asks, and fuse-native does not tell: it is the daemon itself until makers.ts knows better. */
import { AppError } from '../../base/errors.js'
import type { RequestContext } from '../fuse/filesystem.js'

export class Ask implements RequestContext {
  readonly uid: number = process.geteuid?.() ?? 0
  readonly gid: number = process.getegid?.() ?? 0
  readonly pid = 0
  /** The memory of the libfuse thread that waits for the answer. */
  readonly thread: Buffer
  private over = false
  private controller: AbortController | undefined
  private reason: AppError | undefined

  constructor(thread: Buffer) {
    this.thread = thread
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.reason !== undefined) this.controller.abort(this.reason)
    }
    return this.controller.signal
  }

  /** Answered already, because it took too long or the mount has ended: what was opened or read since is for nobody. */
  get isOver(): boolean {
    return this.over
  }

  end(): void {
    this.over = true
  }

  interrupt(why: string): void {
    this.reason = new AppError('interrupted', why)
    this.controller?.abort(this.reason)
  }
}

/** For what the door does on its own. */
export function ownContext(): RequestContext {
  return new Ask(Buffer.alloc(0))
}

/** The same operation in the name of somebody else. */
export function asOwner(ask: Ask, owner: { readonly uid: number; readonly gid: number }): RequestContext {
  return {
    ...{ uid: owner.uid, gid: owner.gid, pid: ask.pid },
    get signal() {
      return ask.signal
    },
  }
}
