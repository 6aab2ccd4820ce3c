/**
 * The transport alone: what the drive could reach if everything above it cost nothing. The same PeerNetwork with the same
 * settings as `up` (loopback addresses, MTU), to as many processes as `up` has hosts; they answer from memory and discard
 * what they are sent, and so does this side. Bodies as the writer sends them (a whole shard), answers as the reader asks
 * for them. It is a lower bound of cost, so it stays simple: no tokens, no proofs, no disk.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { tuneMemory } from '../src/app/memory.js'
import { openPeers } from '../src/app/peers.js'
import { systemClock } from '../src/base/clock.js'
import { silentLog } from '../src/base/log.js'
import { systemRandom } from '../src/base/random.js'
import { SigningKey } from '../src/crypto/signing-key.js'
import { type PeerId, peerId } from '../src/model/ids.js'
import { SHARD_BYTES_MAX } from '../src/model/segment.js'
import type { PeerNetwork } from '../src/rtc/peer-network.js'
import { MB, type Row } from './figures.js'

/** Heads of a token and of a receipt, about. */
const HEAD = Buffer.alloc(300, 1)
const METHOD = { ping: 1, put: 2, get: 3 }
/** Requests open at each host: enough that none of them waits for this side. */
const OPEN_PER_HOST = 4
const DEADLINE_MS = 60_000

interface Signal {
  from: PeerId
  to: PeerId
  session: string
  payload: string
}

function open(
  key: SigningKey,
  target: { send(signal: Signal): void; listen(take: (signal: Signal) => void): void },
): PeerNetwork {
  const self = peerId(key.id)
  const signaling = {
    send: (to: PeerId, session: string, payload: Buffer) =>
      target.send({ from: self, to, session, payload: payload.toString('base64') }),
    onSignal: (listener: (from: PeerId, session: string, payload: Buffer) => void) => {
      target.listen(({ from, session, payload }) => listener(from, session, Buffer.from(payload, 'base64')))
      return () => {}
    },
    onUnreachable: () => () => {},
  }
  const bridgeUrl = new URL('http://127.0.0.1/')
  return openPeers({ key, signaling, nowMs: Date.now, clock: systemClock, log: silentLog, bridgeUrl })
}

export class RawNetwork {
  private readonly hosts: { id: PeerId; child: ChildProcess }[]
  private readonly peers: PeerNetwork
  private readonly body = Buffer.alloc(SHARD_BYTES_MAX, 5)

  private constructor(hosts: { id: PeerId; child: ChildProcess }[], peers: PeerNetwork) {
    this.hosts = hosts
    this.peers = peers
  }

  static async start(count: number): Promise<RawNetwork> {
    tuneMemory()
    const key = SigningKey.random(systemRandom)
    const hosts: { id: PeerId; child: ChildProcess }[] = []
    for (let at = 0; at < count; at++) {
      const child = fork(new URL(import.meta.url), ['host'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      const [{ self }] = (await once(child, 'message')) as [{ self: string }]
      hosts.push({ id: peerId(self), child })
    }
    const peers = open(key, {
      send: (signal) => void hosts.find(({ id }) => id === signal.to)?.child.send(signal),
      listen: (take) => {
        for (const { child } of hosts)
          child.on('message', (message: object) => 'session' in message && take(message as Signal))
      },
    })
    const network = new RawNetwork(hosts, peers)
    await network.exchange(METHOD.ping, hosts.length, undefined, 0)
    return network
  }

  /** Whole shards to all hosts. */
  async put(bytes: number): Promise<Row> {
    return this.measure(bytes, () => this.exchange(METHOD.put, Math.ceil(bytes / SHARD_BYTES_MAX), this.body, 0))
  }

  /** Answers of `answerBytes` from all hosts. */
  async get(bytes: number, answerBytes: number): Promise<Row> {
    return this.measure(bytes, () => this.exchange(METHOD.get, Math.ceil(bytes / answerBytes), undefined, answerBytes))
  }

  private async exchange(method: number, count: number, body: Buffer | undefined, answerBytes: number): Promise<void> {
    let next = 0
    const head = Buffer.from(HEAD)
    head.writeUInt32BE(answerBytes, 0)
    const replyBytesMax = Math.ceil(answerBytes / 1024) * 1024
    const lane = async () => {
      for (let at = next++; at < count; at = next++) {
        const to = this.hosts[at % this.hosts.length]?.id as PeerId
        const reply = await this.peers.request(to, { method, head, body, replyBytesMax, deadlineMs: DEADLINE_MS })
        if (reply.body.length !== answerBytes) throw new Error(`an answer of ${reply.body.length} bytes`)
        this.peers.recycle(reply.body)
      }
    }
    await Promise.all(Array.from({ length: OPEN_PER_HOST * this.hosts.length }, lane))
  }

  private async measure(bytes: number, work: () => Promise<void>): Promise<Row> {
    const before = await this.cpuMs()
    const fromMs = performance.now()
    await work()
    const seconds = (performance.now() - fromMs) / 1000
    const after = await this.cpuMs()
    const perMb = (ms: number) => ms / (bytes / MB)
    const near = perMb(after.near - before.near)
    const far = perMb(after.far - before.far)
    return { 'MB/s': bytes / MB / seconds, 'CPU ms/MB': near + far, 'of this side': near, 'of hosts': far }
  }

  private async cpuMs(): Promise<{ near: number; far: number }> {
    const { user, system } = process.cpuUsage()
    let far = 0
    for (const { child } of this.hosts) {
      const answer = new Promise<number>((resolve) => {
        const heard = (message: { cpuMs?: number }) => {
          if (message.cpuMs === undefined) return
          child.off('message', heard)
          resolve(message.cpuMs)
        }
        child.on('message', heard)
      })
      child.send({ ask: 'cpu' })
      far += await answer
    }
    return { near: (user + system) / 1000, far }
  }

  async stop(): Promise<void> {
    await this.peers.stop()
    for (const { child } of this.hosts) if (child.connected) child.disconnect()
  }
}

function serveAsHost(): void {
  tuneMemory()
  process.on('disconnect', () => process.exit(0))
  const key = SigningKey.random(systemRandom)
  const peers = open(key, {
    send: (signal) => void process.send?.(signal),
    listen: (take) =>
      process.on('message', (message: Signal | { ask: string }) => 'session' in message && take(message)),
  })
  const memory = Buffer.alloc(SHARD_BYTES_MAX, 9)
  peers.serve(async (_from, { head, body }) => {
    peers.recycle(body)
    const answerBytes = head.readUInt32BE(0)
    return { head: HEAD, body: answerBytes > 0 ? memory.subarray(0, answerBytes) : undefined }
  })
  process.on('message', (message: { ask?: string }) => {
    if (message.ask !== 'cpu') return
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMs: (user + system) / 1000 })
  })
  process.send?.({ self: key.id })
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'host') serveAsHost()
