/**
 * Between fuse-native and the operations: every one is answered exactly once, whatever happens. An exception becomes an errno and
 * a line in the log (fuse-native would end the process), and one that takes too long is answered for it. Time limits are
 * here and not in fuse-native, whose own end an operation without telling it: what it opens afterwards would stay open.
 *
 * A caller cannot be interrupted here, not even by SIGKILL: libfuse does not pass that on. The time limits are how long it waits at most.
 */
import { AppError, codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { ERRNO, errnoOf } from '../fuse/errno.js'
import type { MaybePromise } from '../fuse/filesystem.js'
import { framesOf } from '../fuse/replies.js'
import { Ask } from './ask.js'

/** A result or a negative errno, then what the operation's C side takes besides. */
export type Words = readonly [result: number, ...more: unknown[]]

export interface Operation<A extends readonly unknown[]> {
  answer(ask: Ask, ...args: A): MaybePromise<Words>
  /** What goes with a failure, where that is more than the errno. */
  failure?(result: number, ...args: A): Words
  readonly limitMs?: number
}

/** Names and attributes come from the ledger, bytes that are not here within 30 s or not at all. */
const LIMIT_MS = 90_000

export class Calls {
  private readonly log: Log
  private readonly gate: (ask: Ask, name: string) => Promise<void> | undefined
  private readonly limitMs: number
  private readonly waiting = new Map<Ask, (error: unknown) => void>()
  private isClosed = false

  /** `gate`: what an operation has to wait for before it begins. */
  constructor(
    parts: { log: Log; gate: (ask: Ask, name: string) => Promise<void> | undefined },
    options: { limitMs?: number } = {},
  ) {
    this.log = parts.log
    this.gate = parts.gate
    this.limitMs = options.limitMs ?? LIMIT_MS
  }

  serve<A extends readonly unknown[]>(
    name: string,
    operation: Operation<A>,
    thread: Buffer,
    signal: (...words: Words) => void,
    args: A,
  ): void {
    const ask = new Ask(thread)
    let timer: NodeJS.Timeout | undefined
    const finish = (words: Words): void => {
      if (!this.waiting.delete(ask)) return
      clearTimeout(timer)
      ask.end()
      signal(...words)
    }
    const fail = (error: unknown): void => {
      if (this.waiting.has(ask)) finish(this.failureOf(name, operation, error, args))
    }
    this.waiting.set(ask, fail)
    try {
      if (this.isClosed) throw new Ended()
      const waits = this.gate(ask, name)
      const answer =
        waits === undefined ? operation.answer(ask, ...args) : this.later(waits, name, operation, ask, args)
      if (answer instanceof Promise) {
        timer = setTimeout(() => giveUp(ask, fail), operation.limitMs ?? this.limitMs)
        answer.then(finish, fail)
      } else finish(answer)
    } catch (error) {
      fail(error)
    }
  }

  /** Answers everything that waits, and from now on everything that comes, with ENOTCONN. */
  close(): void {
    this.isClosed = true
    for (const [ask, fail] of [...this.waiting]) {
      fail(new Ended())
      ask.interrupt('the mount has ended')
    }
  }

  private async later<A extends readonly unknown[]>(
    first: Promise<void>,
    name: string,
    operation: Operation<A>,
    ask: Ask,
    args: A,
  ): Promise<Words> {
    for (let waits: Promise<void> | undefined = first; waits !== undefined; waits = this.gate(ask, name)) await waits
    if (ask.isOver) throw new Ended()
    return operation.answer(ask, ...args)
  }

  private failureOf<A extends readonly unknown[]>(
    name: string,
    operation: Operation<A>,
    error: unknown,
    args: A,
  ): Words {
    const errno = error instanceof Ended ? ERRNO.ENOTCONN : errnoOf(error)
    if (errno === undefined) {
      this.log.error({ code: codeOf(error), operation: name, at: framesOf(error) }, 'unexpected failure of a request')
    }
    const result = -(errno ?? ERRNO.EIO)
    return operation.failure === undefined ? [result] : operation.failure(result, ...args)
  }
}

function giveUp(ask: Ask, fail: (error: unknown) => void): void {
  fail(new AppError('timed-out', 'an operation took too long', { retry: 'later' }))
  ask.interrupt('it took too long')
}

class Ended extends Error {}
