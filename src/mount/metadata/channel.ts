/**
 * The main thread's end of the ledger: numbers calls, sends those of one turn as one message, settles their promises. When
 * the worker ends, whoever waits is rejected.
 */
import { Worker } from 'node:worker_threads'
import { AppError } from '../../base/errors.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { LedgerEvents } from './ledger.js'
import type { WorkerOptions } from './ledger-worker.js'
import { type Call, type ReplyBatch, unpackError } from './packing.js'
import type { Progress } from './types.js'

export interface LedgerOptions {
  /** ledger.db; its folder is made. Nobody else opens it. */
  readonly file: string
  /** Key of staged rows; stays the caller's. */
  readonly stagedKey: SecretBytes
  readonly events?: LedgerEvents
  /** Tests only: repeatable file ids. */
  readonly seed?: string
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

const NO_PROGRESS: Progress = {
  ...{ openBytes: 0, openOperations: 0, openOperationBytes: 0, pendingEpochs: 0, pendingBytes: 0 },
  ...{ oldestUnpublishedMs: null, files: 0, publishedEpoch: 0, newestPending: null },
}

export class LedgerChannel {
  private readonly worker: Worker
  private readonly events: LedgerEvents
  private readonly waiting = new Map<number, Waiting>()
  private queue: Call[] = []
  private transfer: ArrayBuffer[] = []
  private lastId = 0
  private stopped: Error | null = null
  private ended = false
  progress: Progress = NO_PROGRESS
  readOnly: string | null = null

  private constructor(worker: Worker, events: LedgerEvents) {
    this.worker = worker
    this.events = events
  }

  /** Resolves when the database is open; rejects with its failure (`database-too-new`, `database-damaged`...). */
  static async open(options: LedgerOptions): Promise<LedgerChannel> {
    const key = options.stagedKey.use((bytes) => new Uint8Array(bytes))
    const data: WorkerOptions = { file: options.file, key, seed: options.seed ?? null }
    const worker = new Worker(new URL('./ledger-worker.js', import.meta.url), {
      workerData: data,
      transferList: [key.buffer],
    })
    const channel = new LedgerChannel(worker, options.events ?? {})
    await channel.ready()
    return channel
  }

  private ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      let open = false
      let refused = false
      const refuse = (error: Error) => {
        if (open) return this.stop(error)
        if (refused) return
        refused = true
        // Until its thread has ended, its files are in use: nobody may move or remove them yet.
        void this.worker.terminate().then(() => reject(error))
      }
      this.worker.on('error', refuse)
      this.worker.on('exit', () => refuse(new Error('the ledger thread ended')))
      this.worker.on('message', (message: ReplyBatch | { failed: unknown }) => {
        if ('failed' in message) return refuse(unpackError(message.failed))
        this.settle(message)
        open = true
        resolve()
      })
    })
  }

  call(method: string, args: readonly unknown[], transfer?: readonly ArrayBuffer[]): Promise<unknown> {
    if (this.stopped !== null || this.ended) return Promise.reject(stoppedError(this.stopped))
    return new Promise((resolve, reject) => {
      const id = ++this.lastId
      this.waiting.set(id, { resolve, reject })
      if (this.queue.length === 0) queueMicrotask(() => this.send())
      this.queue.push([id, method, ...args])
      if (transfer) this.transfer.push(...transfer)
    })
  }

  /** Calls made from now on are refused; what waits is still answered. */
  end(): void {
    this.ended = true
  }

  async terminate(): Promise<void> {
    await this.worker.terminate()
  }

  private send(): void {
    const calls = this.queue
    const { transfer } = this
    this.queue = []
    this.transfer = []
    if (this.stopped === null) this.worker.postMessage(calls, transfer)
  }

  private settle(batch: ReplyBatch): void {
    this.progress = batch.progress
    if (batch.readOnly !== this.readOnly) {
      this.readOnly = batch.readOnly
      this.events.readOnly?.(batch.readOnly)
    }
    for (const [id, ok, value] of batch.replies) {
      const one = this.waiting.get(id)
      this.waiting.delete(id)
      if (ok) one?.resolve(value)
      else one?.reject(unpackError(value))
    }
  }

  private stop(error: Error): void {
    const first = this.stopped === null
    this.stopped ??= error
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const one of waiting) one.reject(stoppedError(error))
    if (first && !this.ended) this.events.stopped?.(error)
  }
}

function stoppedError(cause: Error | null): AppError {
  return new AppError('ledger-stopped', 'the ledger has stopped', cause === null ? {} : { cause })
}
