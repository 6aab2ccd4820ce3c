/**
 * Moves the write-ahead log into the database file on a thread of its own: the disk flushes that this needs take longer than
 * everything else the ledger does with staged bytes, and nobody has to wait for them. See checkpoint-worker.ts:
 * a worker of the ledger's worker. A commit goes on beside it; SQLite sees to that.
 */
import { Worker } from 'node:worker_threads'

export class Checkpointer {
  private readonly file: string
  /** Started when the log first grows: most drives of tests and many of people never need it. */
  private worker: Worker | null = null
  private busy = false
  private broken = false

  constructor(file: string) {
    this.file = file
  }

  get running(): boolean {
    return this.busy
  }

  /** Starts one unless one is running. False when there is no thread to do it. */
  begin(): boolean {
    if (this.busy || this.broken) return !this.broken
    this.busy = true
    this.worker ??= this.start()
    this.worker.postMessage(null)
    return true
  }

  private start(): Worker {
    const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), { workerData: this.file })
    worker.unref()
    worker.on('message', () => {
      this.busy = false
    })
    // Without it the log grows until the ledger itself moves it.
    worker.on('error', () => {
      this.busy = false
      this.broken = true
    })
    return worker
  }

  async end(): Promise<void> {
    this.broken = true
    await this.worker?.terminate()
  }
}
