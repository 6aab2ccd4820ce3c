/** A host with rate limits on the in-memory network and a driven clock: puts and gets of several peers, with pings between. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { type PeerId, peerId } from '../../../src/model/ids.js'
import { MemoryHub, type MemoryTransport } from '../../../src/rtc/memory-transport.js'
import type { TransportReply } from '../../../src/rtc/transport.js'
import { METHOD } from '../../../src/wire/methods.js'
import { DrivenClock } from '../../support/driven-clock.js'

const EMPTY = Buffer.alloc(0)
const SHARD_BYTES = 1_000_000
const RATE = 2_000_000
const STEP_MS = 10

function world() {
  const clock = new DrivenClock()
  const hub = new MemoryHub({ clock })
  const open = (): { id: PeerId; transport: MemoryTransport } => {
    const id = peerId(randomBytes(32))
    return { id, transport: hub.node(id) }
  }
  const host = open()
  host.transport.serve(async (_from, { method, replyBytesMax }) => {
    return { head: EMPTY, ...(method === METHOD.get ? { body: Buffer.alloc(replyBytesMax) } : {}) }
  })
  /** Frames take some turns of the loop to arrive. */
  const run = async (ms: number, each: () => void = () => {}) => {
    for (let at = 0; at < ms; at += STEP_MS) {
      each()
      await clock.advance(STEP_MS)
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { clock, hub, host, open, run }
}

interface Load {
  done: number
  refused: string[]
  stop: boolean
}

/** One request after the other, a few at a time. */
function load(from: MemoryTransport, to: PeerId, method: number, together: number): Load {
  const state: Load = { done: 0, refused: [], stop: false }
  const request = () =>
    method === METHOD.put
      ? from.request(to, { method, head: EMPTY, body: Buffer.alloc(SHARD_BYTES), deadlineMs: 30_000 })
      : from.request(to, { method, head: EMPTY, replyBytesMax: 1_000 * 1_024, deadlineMs: 12_000 })
  const lane = async () => {
    while (!state.stop) {
      try {
        const reply: TransportReply = await request()
        state.done += method === METHOD.put ? SHARD_BYTES : reply.body.length
      } catch (error) {
        state.refused.push(error instanceof AppError ? error.code : String(error))
        return
      }
    }
  }
  for (let at = 0; at < together; at++) void lane()
  return state
}

t.test('both ways keep 2 MB/s within 5 percent over a minute, and pings pass promptly', async (t) => {
  const { clock, host, open, run } = world()
  host.transport.setRates({ upBytesPerSecondMax: RATE, downBytesPerSecondMax: RATE })
  const [one, two, asker] = [open(), open(), open()]
  const loads = [
    load(one.transport, host.id, METHOD.put, 3),
    load(two.transport, host.id, METHOD.put, 3),
    load(one.transport, host.id, METHOD.get, 3),
    load(two.transport, host.id, METHOD.get, 3),
  ]
  let worstPingMs = 0
  let pings = 0
  const ping = () => {
    const startedMs = clock.monotonicMs()
    const answered = () => {
      pings++
      worstPingMs = Math.max(worstPingMs, clock.monotonicMs() - startedMs)
    }
    asker.transport.request(host.id, { method: METHOD.ping, head: EMPTY, deadlineMs: 5_000 }).then(answered, () => {})
  }
  await run(5_000)
  const { bytesSent, bytesReceived } = host.transport.counters
  const before = loads.map((one) => one.done)
  await run(60_000, ping)
  const up = (host.transport.counters.bytesSent - bytesSent) / (RATE * 60)
  const down = (host.transport.counters.bytesReceived - bytesReceived) / (RATE * 60)
  t.ok(Math.abs(up - 1) < 0.05, `up ${(up * 100).toFixed(2)} % of the limit`)
  t.ok(Math.abs(down - 1) < 0.05, `down ${(down * 100).toFixed(2)} % of the limit`)
  t.ok(pings > 5_900 && worstPingMs <= 50, `${pings} pings, the slowest ${worstPingMs} ms`)
  t.same(
    loads.flatMap((one) => one.refused),
    [],
    'what is in time is not refused',
  )
  const moved = loads.map((one, at) => one.done - (before[at] ?? 0))
  const fair = (a = 0, b = 0) => Math.abs(a - b) <= 4 * SHARD_BYTES
  t.ok(fair(moved[0], moved[1]) && fair(moved[2], moved[3]), `fair: ${moved.map((one) => one / 1e6).join(', ')} MB`)
  for (const one of loads) one.stop = true
  await Promise.all([one, two, asker, host].map(({ transport }) => transport.stop()))
})

t.test('a request that would come too late is refused at once, and one alone is always let in', async (t) => {
  const { clock, host, open, run } = world()
  host.transport.setRates({ upBytesPerSecondMax: 100_000, downBytesPerSecondMax: 100_000 })
  const one = open()
  const codes: string[] = []
  const timesMs: number[] = []
  const put = () => {
    const startedMs = clock.monotonicMs()
    one.transport
      .request(host.id, { method: METHOD.put, head: EMPTY, body: Buffer.alloc(1_966_080), deadlineMs: 30_000 })
      .then(
        () => codes.push('ok'),
        (error: AppError) => {
          codes.push(`${error.code} ${error.retry}`)
          timesMs.push(clock.monotonicMs() - startedMs)
        },
      )
  }
  put()
  await run(100)
  put()
  await run(200)
  t.same(codes, ['busy elsewhere'], 'the second is told so')
  t.ok((timesMs[0] ?? 1e9) <= 200, `after ${timesMs[0]} ms`)
  await run(25_000)
  t.same(codes, ['busy elsewhere', 'ok'], 'the largest shard comes in time at the lowest limit')
  put()
  await run(25_000)
  t.equal(codes[2], 'ok', 'and the next one after it')
  t.same(host.transport.usage().servingBytes, 0)
  await Promise.all([one, host].map(({ transport }) => transport.stop()))
})

t.test('a body that waits for credit is not given up, one that was given up frees its turn', async (t) => {
  const { host, open, run } = world()
  host.transport.setRates({ upBytesPerSecondMax: null, downBytesPerSecondMax: 100_000 })
  const [slow, other] = [open(), open()]
  const cut = new AbortController()
  const first = slow.transport.request(host.id, {
    method: METHOD.put,
    head: EMPTY,
    body: Buffer.alloc(1_900_000),
    deadlineMs: 60_000,
    signal: cut.signal,
  })
  const given = t.rejects(first)
  await run(2_000)
  const second = other.transport.request(host.id, {
    method: METHOD.put,
    head: EMPTY,
    body: Buffer.alloc(900_000),
    deadlineMs: 60_000,
  })
  await run(1_000)
  cut.abort(new Error('changed its mind'))
  await run(9_500)
  await given
  await second
  t.pass('the second has the whole rate when the first is gone: 900 kB in 10.5 s')
  await Promise.all([slow, other, host].map(({ transport }) => transport.stop()))
})
