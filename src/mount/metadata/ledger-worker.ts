/**
 * The ledger's thread: messages in, messages out. A message is a batch of calls; everything that has arrived is taken
 * before the disk is flushed for those who wait for it, so that many fsyncs share one flush. Long batches answer in parts.
 */

import { createHash } from 'node:crypto'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { memoryAddon, release } from '../../addon/memory.js'
import { assert } from '../../base/assert.js'
import { failpoint } from '../../base/failpoint.js'
import { type RandomBytes, systemRandom } from '../../base/random.js'
import { SecretBytes } from '../../crypto/secret.js'
import { sqliteFailure } from '../../sqlite/failures.js'
import { CALLS } from './calls.js'
import { type Call, packError, type Reply, type ReplyBatch } from './packing.js'
import { LedgerService } from './service.js'
import { openTables } from './tables.js'

export interface WorkerOptions {
  readonly file: string
  /** The staged key; moved into guarded memory and wiped from here. */
  readonly key: Uint8Array
  /** Tests: draws file ids and nonces from this instead of the system. */
  readonly seed: string | null
}

/** Answers leave at the latest after this long, or with this much in them. */
const ANSWER_MS = 5
const ANSWER_BYTES = 4 * 1024 * 1024
/** Calls taken in before waiting fsyncs are served. */
const DRAIN_MS = 20
const RANDOM_POOL_BYTES = 16_384

class LedgerWorker {
  private readonly port: MessagePort
  private readonly service: LedgerService
  private replies: Reply[] = []
  private transfer: ArrayBuffer[] = []
  private transferBytes = 0
  private waitingSyncs: number[] = []
  private answeredMs = 0

  constructor(port: MessagePort, options: WorkerOptions) {
    this.port = port
    const key = SecretBytes.take(options.key)
    const random = options.seed === null ? pooledRandom() : seededRandom(options.seed)
    const tables = openTables({ file: options.file, key, random, nowMs: Date.now, release })
    this.service = new LedgerService(tables, () => this.answer(), { trim: () => memoryAddon().trim() })
    port.on('message', (calls: Call[]) => this.take(calls))
    this.answer()
  }

  private take(first: Call[]): void {
    const startedMs = performance.now()
    this.answeredMs = startedMs
    this.runAll(first)
    while (performance.now() - startedMs < DRAIN_MS) {
      const next = receiveMessageOnPort(this.port)
      if (next === undefined) break
      this.runAll(next.message as Call[])
    }
    this.settleSyncs()
    this.service.settle()
    this.answer()
  }

  private runAll(calls: Call[]): void {
    for (const [id, method, ...args] of calls) {
      if (method === 'sync') {
        this.waitingSyncs.push(id)
        continue
      }
      if (method === 'close') {
        void this.close(id)
        return
      }
      this.run(id, method, args)
      this.service.settle()
      const full = this.transferBytes > ANSWER_BYTES
      if (full || performance.now() - this.answeredMs > ANSWER_MS) this.answer()
    }
  }

  private run(id: number, method: string, args: unknown[]): void {
    const before = this.transfer.length
    try {
      const work = CALLS[method]
      assert(work !== undefined, `the ledger knows no call ${method}`)
      const value = work(this.service, this.transfer, ...(args as never[]))
      failpoint(`mount.call.${method}`)
      this.replies.push([id, true, value])
      for (let i = before; i < this.transfer.length; i++) {
        this.transferBytes += (this.transfer[i] as ArrayBuffer).byteLength
      }
    } catch (error) {
      this.transfer.length = before
      this.replies.push([id, false, packError(error)])
    }
  }

  /** The last call: the client sends none after it. */
  private async close(id: number): Promise<void> {
    this.settleSyncs()
    try {
      await this.service.close()
      this.replies.push([id, true, undefined])
    } catch (error) {
      this.replies.push([id, false, packError(error)])
    }
    this.answer()
  }

  private settleSyncs(): void {
    if (this.waitingSyncs.length === 0) return
    const waiting = this.waitingSyncs
    this.waitingSyncs = []
    let outcome: [boolean, unknown] = [true, undefined]
    try {
      this.service.sync()
    } catch (error) {
      outcome = [false, packError(error)]
    }
    for (const id of waiting) this.replies.push([id, ...outcome])
  }

  private answer(): void {
    const { readOnlyReason } = this.service
    const batch: ReplyBatch = { replies: this.replies, progress: this.service.progress(), readOnly: readOnlyReason }
    this.port.postMessage(batch, this.transfer)
    this.replies = []
    this.transfer = []
    this.transferBytes = 0
    this.answeredMs = performance.now()
  }
}

/** The system's randomness, drawn in larger pieces: a file id is 16 bytes, and a call costs more than they do. */
function pooledRandom(): RandomBytes {
  let pool: Buffer = Buffer.alloc(0)
  return (size) => {
    if (size > RANDOM_POOL_BYTES / 8) return systemRandom(size)
    if (pool.length < size) pool = systemRandom(RANDOM_POOL_BYTES)
    const drawn = pool.subarray(0, size)
    pool = pool.subarray(size)
    return drawn
  }
}

/** Deterministic bytes for tests that repeat a run. */
function seededRandom(seed: string): RandomBytes {
  let counter = 0
  return (size) => {
    const blocks: Buffer[] = []
    for (let have = 0; have < size; have += 32) {
      blocks.push(createHash('sha256').update(`${seed}/${counter++}`).digest())
    }
    return Buffer.concat(blocks).subarray(0, size)
  }
}

const port = parentPort
if (port !== null) {
  try {
    new LedgerWorker(port, workerData as WorkerOptions)
  } catch (error) {
    port.postMessage({ failed: packError(sqliteFailure(error)) })
  }
}
