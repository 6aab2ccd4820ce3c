/**
 * What the transport makes of WebRTC on loopback: bodies of 1.9 MB put to and got from other processes, over 1 and 8
 * connections, beside the same bytes as bare messages on bare channels. MB/s and CPU ms per MB of both ends together.
 *
 *   npm run bench -- transport        (or: node dist-test/bench/transport.js [MiB a run])
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { DataChannel, PeerConnection } from 'node-datachannel'
import { systemClock } from '../src/base/clock.js'
import { silentLog } from '../src/base/log.js'
import { systemRandom } from '../src/base/random.js'
import { SigningKey } from '../src/crypto/signing-key.js'
import { type PeerId, peerId } from '../src/model/ids.js'
import { makeDescriptionSigner } from '../src/permits/description.js'
import { CHUNK_BYTES } from '../src/rtc/limits.js'
import { createWebRtcTransport } from '../src/rtc/webrtc-transport.js'

const BODY_BYTES = 1_966_080
const PER_PEER = 8
const { PeerConnection: Connection } = createRequire(import.meta.url)('node-datachannel') as {
  PeerConnection: new (name: string, config: object) => PeerConnection
}

type Wire = Record<string, unknown>
/** Messages between this process and one child, with a name each. */
interface Line {
  send(name: string, payload: Wire): void
  on(name: string, listener: (payload: Wire) => void): void
  once(name: string, listener: (payload: Wire) => void): void
}

function lineOf(target: NodeJS.Process | ReturnType<typeof fork>): Line {
  target.setMaxListeners(0)
  const on: Line['on'] = (name, listener) => {
    target.on('message', (message: Wire) => {
      if (message.name === name) listener(message)
    })
  }
  const once: Line['once'] = (name, listener) => {
    const heard = (message: Wire) => {
      if (message.name !== name) return
      target.off('message', heard)
      listener(message)
    }
    target.on('message', heard)
  }
  return { send: (name, payload) => void target.send?.({ name, ...payload }), on, once }
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function node(key: SigningKey, lines: Map<PeerId, Line>) {
  const self = peerId(key.id)
  const signaling = {
    send: (to: PeerId, session: string, payload: Buffer) =>
      lines.get(to)?.send('signal', { from: self, session, payload: payload.toString('base64') }),
    onSignal: (listener: (from: PeerId, session: string, payload: Buffer) => void) => {
      for (const line of lines.values()) {
        line.on('signal', ({ from, session, payload }) =>
          listener(peerId(from), session as string, Buffer.from(payload as string, 'base64')),
        )
      }
      return () => {}
    },
    onUnreachable: () => () => {},
  }
  const signer = makeDescriptionSigner(key, () => Date.now())
  const parts = { self, signaling, signer, clock: systemClock, random: systemRandom, log: silentLog }
  return createWebRtcTransport(parts, { bindAddress: '127.0.0.1', mtu: Number(process.env.MTU ?? 0) || undefined })
}

function rawConfig() {
  return {
    iceServers: [],
    bindAddress: '127.0.0.1',
    maxMessageSize: 262_144,
    mtu: Number(process.env.MTU ?? 0) || undefined,
  }
}

/** As fast as the channel takes it: the bare minimum that any protocol must do. */
function pour(channel: DataChannel, bytes: number): void {
  const message = Buffer.alloc(CHUNK_BYTES, 7)
  let sent = 0
  const pump = () => {
    while (sent < bytes && channel.bufferedAmount() < 4_194_304) {
      channel.sendMessageBinary(message)
      sent += message.length
    }
  }
  channel.setBufferedAmountLowThreshold(1_048_576)
  channel.onBufferedAmountLow(pump)
  pump()
}

function drain(channel: DataChannel, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let got = 0
    channel.onMessage((message) => {
      got += (message as Buffer).length
      if (got >= bytes) resolve()
    })
  })
}

function child(): void {
  const line = lineOf(process)
  process.on('disconnect', () => process.exit(0))
  const key = SigningKey.random(systemRandom)
  const shard = Buffer.alloc(BODY_BYTES, 9)
  line.on('start', ({ parent }) => {
    const transport = node(key, new Map([[peerId(parent), line]]))
    transport.serve(async (_from, { method }) => ({ head: Buffer.alloc(258), body: method === 3 ? shard : undefined }))
    line.send('ready', {})
  })
  line.on('cpu', () => line.send('cpu', { ms: cpuMs() }))
  line.on('raw-offer', ({ sdp, bytes }) => {
    const connection = new Connection('raw', rawConfig())
    connection.onDataChannel((channel) => {
      held.push(channel)
      void drain(channel, bytes as number).then(() => channel.sendMessage('got it'))
      line.on('raw-pour', () => pour(channel, bytes as number))
    })
    connection.onGatheringStateChange((state) => {
      if (state === 'complete') line.send('raw-answer', { sdp: connection.localDescription()?.sdp })
    })
    held.push(connection)
    connection.setRemoteDescription(sdp as string, 'offer')
  })
  line.send('self', { id: key.id })
}
const held: unknown[] = []

interface Other {
  id: PeerId
  line: Line
}

async function cpuOf(others: Other[]): Promise<number> {
  let ms = cpuMs()
  for (const { line } of others) {
    const answer = new Promise<Wire>((resolve) => line.once('cpu', resolve))
    line.send('cpu', {})
    ms += (await answer).ms as number
  }
  return ms
}

async function measure(name: string, bytes: number, others: Other[], work: () => Promise<unknown>): Promise<number> {
  const cpuBefore = await cpuOf(others)
  const from = performance.now()
  await work()
  const seconds = (performance.now() - from) / 1000
  const cpu = (await cpuOf(others)) - cpuBefore
  const speed = bytes / 1e6 / seconds
  console.log(
    `${name.padEnd(22)} ${speed.toFixed(1).padStart(6)} MB/s   ${(cpu / (bytes / 1e6)).toFixed(1).padStart(5)} CPU ms/MB`,
  )
  return speed
}

/** Now and then a handshake loses a race inside the library; the next one works. */
async function rawChannel(other: Other, bytes: number): Promise<DataChannel> {
  for (;;) {
    try {
      return await rawChannelOnce(other, bytes)
    } catch {}
  }
}

async function rawChannelOnce(other: Other, bytes: number): Promise<DataChannel> {
  const connection = new Connection('raw', rawConfig())
  held.push(connection)
  const gathered = new Promise<void>((resolve) => {
    connection.onGatheringStateChange((state) => state === 'complete' && resolve())
  })
  const channel = connection.createDataChannel('raw')
  held.push(channel)
  const open = new Promise<void>((resolve) => channel.onOpen(resolve))
  await gathered
  const answer = new Promise<Wire>((resolve) => other.line.once('raw-answer', resolve))
  other.line.send('raw-offer', { sdp: connection.localDescription()?.sdp, bytes })
  connection.setRemoteDescription((await answer).sdp as string, 'answer')
  await open
  return channel
}

async function rawRun(others: Other[], bytes: number): Promise<[out: number, in_: number]> {
  const each = bytes / others.length
  const channels: DataChannel[] = []
  for (const other of others) channels.push(await rawChannel(other, each))
  const out = await measure(`raw out, ${others.length}`, bytes, others, () => {
    const arrived = channels.map((channel) => new Promise<void>((resolve) => channel.onMessage(() => resolve())))
    for (const channel of channels) pour(channel, each)
    return Promise.all(arrived)
  })
  const in_ = await measure(`raw in, ${others.length}`, bytes, others, () => {
    const arrived = channels.map((channel) => drain(channel, each))
    for (const other of others) other.line.send('raw-pour', {})
    return Promise.all(arrived)
  })
  return [out, in_]
}

async function parent(): Promise<void> {
  const mebibytes = Number(process.argv[2] ?? 192)
  const bytes = Math.ceil((mebibytes * 1_048_576) / BODY_BYTES / PER_PEER) * PER_PEER * BODY_BYTES
  const key = SigningKey.random(systemRandom)
  for (const count of [1, 8]) {
    const children = Array.from({ length: count }, () => fork(new URL(import.meta.url), ['child']))
    const others: Other[] = []
    for (const one of children) {
      const line = lineOf(one)
      others.push({ id: peerId((await once(one, 'message'))[0].id), line })
    }
    const transport = node(key, new Map(others.map(({ id, line }) => [id, line])))
    for (const { line } of others) {
      const ready = new Promise((resolve) => line.once('ready', resolve))
      line.send('start', { parent: key.id })
      await ready
    }
    const body = Buffer.alloc(BODY_BYTES, 5)
    const requests = bytes / BODY_BYTES
    const run = async (method: number, withBody: boolean) => {
      let next = 0
      const lane = async () => {
        for (let i = next++; i < requests; i = next++) {
          const to = others[i % count]?.id as PeerId
          await transport.request(to, {
            method,
            head: Buffer.alloc(297),
            body: withBody ? body : undefined,
            deadlineMs: 60_000,
          })
        }
      }
      await Promise.all(Array.from({ length: PER_PEER * (count > 1 ? 2 : 1) }, lane))
    }
    for (const { id } of others) await transport.request(id, { method: 1, head: Buffer.alloc(0), deadlineMs: 10_000 })
    // Memory is touched and windows are open before anything counts.
    await run(2, true)
    const put = await measure(`put, ${count}`, bytes, others, () => run(2, true))
    const get = await measure(`get, ${count}`, bytes, others, () => run(3, false))
    const [out, in_] = await rawRun(others, bytes)
    console.log(
      `of raw: put ${(put / out).toFixed(2)}, get ${(get / in_).toFixed(2)}   (frames of ${CHUNK_BYTES} bytes)`,
    )
    for (const one of children) one.kill('SIGKILL')
    await transport.stop()
  }
  process.exit(0)
}

if (process.argv[2] === 'child') child()
else await parent()
