/**
 * The cache's thread. Reads come first: puts wait in a queue, a transaction at a time is done when no read waits, and
 * reads that arrive meanwhile are served between two of its units.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemRandom } from '../../base/random.js'
import { SecretBytes } from '../../crypto/secret.js'
import type { CacheWorkerData, FromCache, ToCache, UnitsAsked } from './messages.js'
import * as shelf from './shelf.js'
import type { FreshUnit } from './store-types.js'
import { UnitStore } from './unit-store.js'

/** How often budget and floor are looked after while nothing is put. */
const TIDY_MS = { now: 50, soon: 1_000, later: 10_000 }

type Put = Extract<ToCache, { kind: 'put' }>

class CacheWorker {
  private readonly port: MessagePort
  private readonly store: UnitStore
  private readonly key: SecretBytes
  private readonly puts: Put[] = []
  private later: ToCache[] = []
  private scheduled = false
  private timer: NodeJS.Timeout | undefined

  constructor(port: MessagePort, data: CacheWorkerData) {
    this.port = port
    this.key = SecretBytes.take(data.key)
    const { file, budgetBytes, floorBytes } = data
    const nowMs = () => performance.now()
    const anew = (code: string) => this.send({ kind: 'anew', code })
    this.store = new UnitStore({ file, key: this.key, random: systemRandom, budgetBytes, floorBytes, nowMs, anew })
    port.on('message', (message: ToCache) => this.take(message))
    this.tidyAfter(TIDY_MS.later)
    this.send({ kind: 'open' })
  }

  private take(message: ToCache): void {
    switch (message.kind) {
      case 'get':
        this.answerGet(message)
        break
      case 'put':
        this.puts.push(message)
        this.schedule()
        break
      case 'stats':
        this.send({ kind: 'stats', id: message.id, stats: this.store.stats() })
        break
      case 'budget':
        this.store.setBudget(message.bytes)
        this.tidyAfter(0)
        break
      case 'look':
        this.send({ kind: 'look', id: message.id, look: this.store.look(message.after, message.drops) })
        break
      case 'keep':
      case 'missing':
      case 'drop':
        if (this.puts.length > 0) this.later.push(message)
        else this.answerUnits(message)
        break
      case 'end-round':
        if (this.puts.length > 0) this.later.push(message)
        else this.answerEnd(message.id)
        break
      case 'close':
        this.close(message.id)
    }
  }

  private answerGet({ id, segment, units }: Extract<ToCache, { kind: 'get' }>): void {
    const transfer: ArrayBuffer[] = []
    const found = this.store.get(segment, units).map((bytes) => {
      if (bytes === null) return null
      // Short units lie in a pool that is not ours to give away.
      const own = bytes.length === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
      transfer.push(own.buffer as ArrayBuffer)
      return own
    })
    this.send({ kind: 'units', id, units: found }, transfer)
  }

  private answerUnits({ kind, id, segment, units }: UnitsAsked): void {
    const answer = this.store.use((open) => {
      if (kind === 'drop') return { units: [], bytes: shelf.drop(open, segment, units) }
      if (kind === 'keep') shelf.keep(open, segment, units)
      return { units: shelf.missing(open, segment, units), bytes: 0 }
    })
    this.send({ kind: 'told', id, ...(answer ?? { units: null, bytes: 0 }) })
  }

  private answerEnd(id: number): void {
    this.store.use((open) => shelf.endRound(open))
    this.send({ kind: 'told', id, units: null, bytes: 0 })
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.putNext()
      if (this.puts.length > 0) this.schedule()
    })
  }

  private putNext(): void {
    const put = this.puts.shift()
    if (put === undefined) return
    this.store.put(unitsOf(put), () => this.serveWaiting())
    this.send({ kind: 'chunk', chunk: put.chunk }, [put.chunk])
    const { later } = this
    this.later = []
    for (const message of later) this.take(message)
  }

  private serveWaiting(): void {
    for (;;) {
      const waiting = receiveMessageOnPort(this.port)
      if (waiting === undefined) return
      const message = waiting.message as ToCache
      if (message.kind === 'get') this.answerGet(message)
      else if (message.kind === 'put') this.puts.push(message)
      else this.later.push(message)
    }
  }

  private tidyAfter(delayMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.tidyAfter(TIDY_MS[this.store.tidy()]), delayMs)
  }

  private close(id: number): void {
    while (this.puts.length > 0) this.store.put(unitsOf(this.puts.shift() as Put))
    this.store.close()
    this.key.wipe()
    clearTimeout(this.timer)
    this.send({ kind: 'closed', id })
    this.port.close()
  }

  private send(message: FromCache, transfer: ArrayBuffer[] = []): void {
    this.port.postMessage(message, transfer)
  }
}

function unitsOf({ chunk, entries }: Put): FreshUnit[] {
  let at = 0
  return entries.map(([segment, unit, length]) => {
    const bytes = new Uint8Array(chunk, at, length)
    at += length
    return { segment, unit, bytes }
  })
}

if (parentPort !== null) new CacheWorker(parentPort, workerData as CacheWorkerData)
