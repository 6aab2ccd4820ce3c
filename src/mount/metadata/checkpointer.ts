/**
 * Moves the write-ahead log into the database file on a thread of its own: the disk flushes that this needs take longer than
 * everything else the ledger does with staged bytes, and nobody has to wait for them. Runs in a worker of the ledger's
 * worker; one message in (now), one out (frames in the log). A commit goes on beside it; SQLite sees to that.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { openDatabase } from '../../sqlite/open.js'
import { LEDGER_KIND, LEDGER_MIGRATIONS } from './schema.js'

interface CheckpointRow {
  busy: number
  log: number
  checkpointed: number
}

export class Checkpointer {
  private readonly file: string
  /** Started when the log first grows: most drives of tests and many of people never need it. */
  private worker: Worker | null = null
  private running = false
  private frames = 0
  private moved: () => void = () => {}

  constructor(file: string) {
    this.file = file
  }

  /** Starts one unless one is running. `moved`: all that was committed before is in the database file. */
  begin(moved: () => void): void {
    if (this.running) return
    this.running = true
    this.moved = moved
    this.worker ??= this.start()
    this.worker.postMessage(null)
  }

  private start(): Worker {
    const worker = new Worker(new URL(import.meta.url), { workerData: { checkpoint: this.file } })
    worker.unref()
    worker.on('message', ([frames, whole]: [number, boolean]) => {
      this.running = false
      this.frames = frames
      if (whole) this.moved()
    })
    // Without it the log grows until the ledger itself moves it.
    worker.on('error', () => {
      this.running = true
    })
    return worker
  }

  /** Frames in the log at the end of the last one; 0 while one is running. */
  get logFrames(): number {
    return this.running ? 0 : this.frames
  }

  /** The log starts anew. */
  reset(): void {
    this.frames = 0
  }

  async end(): Promise<void> {
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
    let answer: [number, boolean] = [0, false]
    try {
      const row = (db.pragma('wal_checkpoint(PASSIVE)') as CheckpointRow[])[0]
      if (row !== undefined && row.log >= 0) answer = [row.log, row.checkpointed === row.log]
    } catch {
      // A full or failing disk: the ledger's own commits will meet it and say so.
    }
    port.postMessage(answer)
  })
}
