/**
 * A host's rate limits over real WebRTC, in a process of its own, for a minute: two peers put and get as much as they can, while a
 * third asks what must be prompt. What arrives is counted at the peers.
 */
import t from 'tap'
import type { AppError } from '../../src/base/errors.js'
import type { PeerId } from '../../src/model/ids.js'
import { METHOD } from '../../src/wire/methods.js'
import type { TransportNode } from '../suites/transport-suite.js'
import { forkNode } from '../support/rtc-fork.js'
import { webRtcNet } from '../support/webrtc-net.js'

t.setTimeout(180_000)

const RATE = 2_000_000
const WARM_MS = 5_000
const MEASURED_MS = 60_000
const SHARD_BYTES = 983_040
/** 16 leaves with their proofs, as an audit's answer. */
const AUDIT_BYTES = 28_672
const EMPTY = Buffer.alloc(0)

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

class Load {
  puts = 0
  gets = 0
  refused = 0
  private ended = false
  private readonly lanes: Promise<void>[]
  private readonly node: TransportNode
  private readonly host: PeerId

  constructor(node: TransportNode, host: PeerId) {
    this.node = node
    this.host = host
    this.lanes = [0, 1, 2].flatMap(() => [this.lane(METHOD.put), this.lane(METHOD.get)])
  }

  end(): Promise<unknown> {
    this.ended = true
    return Promise.all(this.lanes)
  }

  private async lane(method: number): Promise<void> {
    while (!this.ended) {
      try {
        if (method === METHOD.put) await this.put()
        else await this.get()
      } catch (error) {
        if ((error as AppError).code !== 'busy') throw error
        this.refused++
        await pause(100)
      }
    }
  }

  private async put(): Promise<void> {
    const body = Buffer.alloc(SHARD_BYTES, 2)
    await this.node.transport.request(this.host, { method: METHOD.put, head: EMPTY, body, deadlineMs: 30_000 })
    this.puts += SHARD_BYTES
  }

  private async get(): Promise<void> {
    const request = { method: METHOD.get, head: EMPTY, replyBytesMax: SHARD_BYTES, deadlineMs: 12_000 }
    const { body } = await this.node.transport.request(this.host, request)
    this.gets += body.length
  }
}

t.test('2 MB/s each way are kept within five percent, peers share them, and audits and pings are prompt', async (t) => {
  const net = webRtcNet()
  const child = await forkNode(net.hub, 'limited')
  const [one, two, bridge] = [await net.node(), await net.node(), await net.node()]
  const loads = [new Load(one, child.id), new Load(two, child.id)]
  await pause(WARM_MS)
  const before = loads.map(({ puts, gets }) => ({ puts, gets }))
  const startedMs = performance.now()
  const waitsMs: { ping: number[]; audit: number[] } = { ping: [], audit: [] }
  while (performance.now() - startedMs < MEASURED_MS) {
    for (const [name, method, replyBytesMax] of [
      ['ping', METHOD.ping, 0],
      ['audit', METHOD.audit, AUDIT_BYTES],
    ] as const) {
      const askedMs = performance.now()
      await bridge.transport.request(child.id, { method, head: EMPTY, replyBytesMax, deadlineMs: 10_000 })
      waitsMs[name].push(performance.now() - askedMs)
      await pause(500)
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000
  const moved = loads.map(({ puts, gets }, at) => ({
    puts: puts - (before[at]?.puts ?? 0),
    gets: gets - (before[at]?.gets ?? 0),
  }))
  const audits = waitsMs.audit.length * AUDIT_BYTES
  const share = (name: 'puts' | 'gets', more: number) =>
    (moved.reduce((sum, each) => sum + each[name], 0) + more) / (RATE * seconds)
  const [down, up] = [share('puts', 0), share('gets', audits)]
  const middle = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN
  t.comment(`down ${(down * 100).toFixed(1)} %, up ${(up * 100).toFixed(1)} % of 2 MB/s in ${seconds.toFixed(1)} s`)
  t.comment(`MB of each peer: ${moved.map(({ puts, gets }) => `${puts / 1e6} put, ${gets / 1e6} got`).join('; ')}`)
  for (const [name, list] of Object.entries(waitsMs)) {
    t.comment(
      `${name}: ${list.length}, half within ${middle(list).toFixed(0)} ms, the slowest ${Math.max(...list).toFixed(0)} ms`,
    )
  }
  t.comment(`refused: ${loads.map(({ refused }) => refused).join(', ')}`)
  t.ok(Math.abs(down - 1) < 0.05)
  t.ok(Math.abs(up - 1) < 0.05)
  for (const name of ['puts', 'gets'] as const) {
    const [a = 0, b = 0] = moved.map((each) => each[name])
    t.ok(Math.abs(a - b) <= 6 * SHARD_BYTES, `${name} are shared`)
  }
  // Bulk of six requests each way would be three seconds.
  t.ok(middle(waitsMs.ping) < 500 && middle(waitsMs.audit) < 500)
  await Promise.all(loads.map((load) => load.end()))
  child.process.send({ stop: true })
  await child.ended
  await net.stop()
})
