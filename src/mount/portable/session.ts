/** One mount of fuse-native, from its start to its end: a FileSystem's operations put where the package calls them. */
import type Fuse from 'fuse-native'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { EndReason } from '../fuse/connection.js'
import type { FileSystem } from '../fuse/filesystem.js'
import { ownContext } from './ask.js'
import { attributeOperations } from './attribute-operations.js'
import { Calls, type Operation, type Words } from './calls.js'
import { deviceDescriptors, isDevice, newDescriptor, whenClosed } from './descriptor.js'
import { fileOperations } from './file-operations.js'
import { Handles } from './handles.js'
import { HiddenNames } from './hidden.js'
import type { FuseNative } from './library.js'
import { nameOperations } from './name-operations.js'
import type { OperationName, Operations, Room } from './operations.js'
import { Paths } from './paths.js'

export interface SessionOptions {
  readonly isCallerKnown: boolean
  readonly mount: Fuse.Options
  /** For operations without a limit of their own. */
  readonly limitMs?: number
}

type AnyOperation = Operation<readonly unknown[]>

export class Session {
  /** When no request can come any more, and nothing is held. */
  readonly ended: Promise<EndReason>
  private readonly fs: FileSystem
  private readonly log: Log
  private readonly calls: Calls
  private readonly room: Room
  private readonly fuse: InstanceType<FuseNative>
  private fd: string | undefined
  private stopLooking: () => void = () => {}
  private ending: Promise<void> | undefined
  private tellEnd: (reason: EndReason) => void = () => undefined

  constructor(library: FuseNative, place: string, parts: { fs: FileSystem; log: Log }, options: SessionOptions) {
    const { fs, log } = parts
    this.fs = fs
    this.log = log
    const handles = new Handles()
    const paths = new Paths(fs)
    const removed = (parent: number, name: Buffer): void => paths.forgetName(parent, name)
    const hidden = new HiddenNames({ fs, handles, log, removed })
    this.room = { fs, handles, hidden, paths, isCallerKnown: options.isCallerKnown }
    this.calls = new Calls({ log, gate: (ask, name) => hidden.gate(ask, name) }, { limitMs: options.limitMs })
    this.ended = new Promise((resolve) => {
      this.tellEnd = resolve
    })
    const all: Operations<OperationName> = {
      ...nameOperations(this.room),
      ...attributeOperations(this.room),
      ...fileOperations(this.room),
    }
    const { flush: _, ...withoutFlush } = all
    const operations = fs.flush === undefined ? withoutFlush : all
    const asked = Object.fromEntries(Object.keys(operations).map((name) => [name, true as const]))
    this.fuse = new library(place, asked, options.mount)
    this.install(operations)
  }

  /** Resolves when the kernel and libfuse have agreed. Throws `mount-failed`; the mount may be there all the same. */
  async start(): Promise<void> {
    const before = deviceDescriptors()
    await new Promise<void>((resolve, reject) => {
      this.fuse.mount((error) => (error === null ? resolve() : reject(failed(error))))
    })
    const fd = newDescriptor(before)
    if (fd === undefined) throw failed(new Error('its descriptor is not there'))
    this.fd = fd
    this.stopLooking = whenClosed(fd, () => void this.end('unmounted'))
  }

  /** libfuse has its connection to the kernel. */
  get isConnected(): boolean {
    return this.fd !== undefined && isDevice(this.fd)
  }

  /** Nothing that comes is served any more; what waits gets ENOTCONN. */
  refuseAll(): void {
    this.calls.close()
  }

  /** Once. Whatever libfuse still has open is given back in its place. */
  end(reason: EndReason): Promise<void> {
    this.ending ??= this.endOnce(reason)
    return this.ending
  }

  forgetName(parent: number, name: Buffer): void {
    this.room.paths.forgetName(parent, name)
  }

  private async endOnce(reason: EndReason): Promise<void> {
    this.stopLooking()
    this.refuseAll()
    const { fs, room } = this
    const ctx = ownContext()
    for (const { ino, fh } of room.handles.takeAll()) {
      await Promise.resolve(fs.release(ino, fh, ctx)).catch((err: unknown) => this.log.warn({ err }, 'not released'))
    }
    await room.hidden.dropAll()
    room.paths.forgetAll()
    // Lets the process end, also after a start that failed half way; see library.ts for what it does not do.
    this.fuse._close(() => undefined)
    this.tellEnd(reason)
  }

  private install(operations: Partial<Operations<OperationName>>): void {
    let thread: Buffer = Buffer.alloc(0)
    const handlers = this.fuse._handlers
    for (const [opcode, handler] of [...handlers.entries()]) {
      if (handler === undefined) continue
      handlers[opcode] = (memory, ...rest) => {
        thread = memory
        handler(memory, ...rest)
      }
    }
    for (const [name, operation] of Object.entries(operations)) {
      const serve = (signal: (...words: Words) => void, ...args: unknown[]): void =>
        this.calls.serve(name, operation as AnyOperation, thread, signal, args)
      Object.defineProperty(this.fuse, `_op_${name}`, { value: serve })
    }
  }
}

function failed(cause: Error): AppError {
  return new AppError('mount-failed', 'libfuse does not mount', {
    cause,
    hint: 'its own line above says why; mount with --door native',
  })
}
