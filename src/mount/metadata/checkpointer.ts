/**
 * Moves the write-ahead log into the database file on a thread of its own: the disk flushes that this needs take longer than
 * everything else the ledger does with staged bytes, and nobody has to wait for them. Runs in a worker of the ledger's
 * worker; one message in (now), one out (done). A commit goes on beside it; SQLite sees to that.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { openDatabase } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'

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
    const worker = new Worker(new URL(import.meta.url), { workerData: { checkpoint: this.file } })
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

const data = workerData as { checkpoint?: string } | null
if (parentPort !== null && data?.checkpoint !== undefined) {
  const port = parentPort
  const db = openDatabase(data.checkpoint, {
    migrations: LEDGER_MIGRATIONS,
    kind: LEDGER_KIND,
    cacheBytes: 1024 * 1024,
  })
  port.on('message', () => {
    try {
      db.pragma('wal_checkpoint(PASSIVE)')
    } catch {
      // A full or failing disk: the ledger's own commits will meet it and say so.
    }
    port.postMessage(null)
  })
}
