/** Where bytes come into a bridge: connections that speak HTTP or nothing known, and messages of sockets. */
import { Duplex } from 'node:stream'
import { AppError } from '../../../src/base/errors.js'
import { addressFinder } from '../../../src/bridge/api/address.js'
import { Gate } from '../../../src/bridge/api/gate.js'
import { buildServer } from '../../../src/bridge/api/server.js'
import { SocketDoor } from '../../../src/bridge/api/socket.js'
import { Hub, type HubPeer } from '../../../src/bridge/signaling/hub.js'
import { bridgeId, peerId } from '../../../src/model/ids.js'
import { HEADER } from '../../../src/wire/api.js'
import { SOCKET_CLOSE } from '../../../src/wire/socket.js'
import { capturedLog } from '../../support/captured-log.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { mutateJson } from '../../support/mutate-json.js'
import { keyOf } from '../../support/named.js'
import { sharedBridge } from '../../support/shared-bridge.js'
import { jsonSamples, type Opened, spoilBytes, type Target } from '../target.js'

const HEX = 'ab'.repeat(32)

/** `HTTP Version Not Supported`: Node's own answer. */
const HTTP_VERSION_STATUS = 505
const CALLED = `GET /v1/bridge HTTP/1.1\r\nhost: x\r\n${HEADER.nonce}: ${'cd'.repeat(16)}\r\nconnection: close\r\n\r\n`
const REQUEST = [
  `POST /v1/drives/${'ab'.repeat(16)}/heartbeat HTTP/1.1`,
  'host: bridge.example',
  'content-type: application/json',
  'content-length: 10',
  `${HEADER.nonce}: ${'cd'.repeat(16)}`,
  'connection: close',
  'x-forwarded-for: 10.0.0.1, 192.0.2.7',
  '',
  '{"term":1}',
].join('\r\n')

/** One connection of a client that says all it has to say at once, and hears what comes until the end. */
class Line extends Duplex {
  readonly heard: Promise<string>
  private tell: (heard: string) => void = () => undefined
  private text = ''

  constructor(says: Buffer) {
    super({ allowHalfOpen: true })
    this.heard = new Promise((resolve) => {
      this.tell = resolve
    })
    this.push(says)
    // Half a request ends with us, not with the bridge's patience; a whole one is answered in the turn that it comes in.
    setImmediate(() => setImmediate(() => this.push(null)))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('latin1')
    done()
  }

  override _final(done: () => void): void {
    this.tell(this.text)
    done()
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    this.tell(this.text)
    done(null)
  }

  /** What a server asks of a socket. */
  setTimeout(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
}

/** Bytes of a connection: each is answered with a status that is no fault of the bridge, or the connection ends. */
function rawHttp(): Target {
  const open = async (): Promise<Opened> => {
    const shared = await sharedBridge()
    const { log, text } = capturedLog()
    const key = keyOf('bridge')
    const clock = new DrivenClock()
    const rates = { perSecond: 1e9, burst: 1e9 }
    const gate = new Gate({ bridge: bridgeId(key.id), clock, rates: { address: rates, key: rates } })
    const addressOf = addressFinder(true)
    const app = buildServer({ service: shared.service, gate, key, clock, log, addressOf })
    await app.ready()
    const ask = (says: Buffer) => {
      const line = new Line(says)
      app.server.emit('connection', line)
      return line.heard
    }
    return {
      codes: ['malformed'],
      taken: 'sometimes',
      state: shared.version,
      said: text,
      samples: [Buffer.from(CALLED)],
      spoil: (dice, samples) => spoilBytes(dice, [...samples, Buffer.from(REQUEST)]),
      take: async (input) => {
        const heard = await ask(input)
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0)
        if (status >= 500 && status !== HTTP_VERSION_STATUS) throw new Error(heard.slice(0, 300))
        if (status !== 200) throw new AppError('malformed', `status ${status}`)
      },
      conclude: async () => {
        const alive = (await ask(Buffer.from(CALLED))).startsWith('HTTP/1.1 200')
        return alive && !text().includes('request failed') ? [] : [text().slice(0, 500)]
      },
      close: () => app.close(),
    }
  }
  return { name: 'raw HTTP', of: ['src/bridge/api/server.ts', 'src/bridge/api/address.ts'], open }
}

const session = 'ef'.repeat(16)
const peerMessages: Record<string, object> = {
  signal: { type: 'signal', to: HEX, session, payload: 'QUJDRA==' },
  deleted: { type: 'deleted', serial: session, ok: false, code: 'shard-not-found' },
}

/** A peer's message as its socket hands it over; a bad one ends that socket, with the code that says so. */
function socketMessage(name: string, message: object): Target {
  const open = (): Opened => {
    const clock = new DrivenClock()
    const { log, text } = capturedLog()
    const key = keyOf('bridge')
    const hub = new Hub({ clock })
    const relayed: string[] = []
    const peer = (role: HubPeer['role'], id: string): HubPeer => ({
      ...{ key: peerId(id), role, end: () => undefined },
      send: (sent) => void relayed.push(JSON.stringify(sent)),
    })
    const sender = peer('host', 'cd'.repeat(32))
    hub.attach(peer('device', HEX))
    hub.attach(sender)
    const gate = new Gate({ bridge: bridgeId(key.id), clock })
    const door = new SocketDoor({
      ...{ gate, hub, clock, log, key, addressOf: () => '127.0.0.1', roleOf: async () => 'host' as const },
      onDeleted: (_host, deleted) => void relayed.push(deleted.serial),
    })
    const receive = Reflect.get(door, 'receive') as (
      socket: object,
      peer: HubPeer,
      data: Buffer,
      isBinary: boolean,
    ) => void
    return {
      samples: jsonSamples([message]),
      spoil: (dice) => mutateJson(dice, message),
      take: (input) => {
        let closed = 0
        const socket = { OPEN: 1, readyState: 1, close: (code: number) => (closed = code), terminate: () => undefined }
        receive.call(door, socket, sender, input, false)
        if (closed === SOCKET_CLOSE.malformed) throw new AppError('malformed', 'the line was ended')
      },
      codes: ['malformed'],
      taken: 'sometimes',
      state: () => String(relayed.length),
      said: text,
      conclude: () => (text().includes('socket message failed') ? [text().slice(0, 500)] : []),
    }
  }
  const of = ['src/bridge/api/socket.ts', 'src/bridge/signaling/hub.ts', 'src/wire/check.ts']
  return { name: `socket message ${name}, from a peer`, of, is: [`PeerMessage ${name}`], open }
}

export const bridgeDoorTargets: readonly Target[] = [
  rawHttp(),
  ...Object.entries(peerMessages).map(([name, message]) => socketMessage(name, message)),
]
