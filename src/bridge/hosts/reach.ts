/**
 * How a host is reached from outside, for its operator (`host doctor`): a knock, which is a datagram from a port that the host
 * never sent to, and a dial by the bridge's own peer. A knock goes to the address that its request came from and to no
 * other, so nobody is made a victim by it; both are paced.
 */
import { createSocket } from 'node:dgram'
import { isIP } from 'node:net'
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import type { HostId, PeerId } from '../../model/ids.js'
import type { LinkPath } from '../../rtc/link.js'
import type { Transport } from '../../rtc/transport.js'
import type * as hostApi from '../../wire/host-api.js'
import { encodeKnock } from '../../wire/knock.js'
import { METHOD } from '../../wire/methods.js'
import { Rates } from '../rates.js'
import type { HostRegistry } from './registry.js'

/** An operator tries a few times in a row. */
const RATE = { perSecond: 0.1, burst: 6 }
/** One may be lost. */
const KNOCKS = 3
/** The transport's own limit of a dial is 10 s. */
const DIAL_MS = 12_000
const SETTLE_MS = 3_000
const SETTLE_STEP_MS = 200
const UNREACHED = { reached: false, kind: null, outside: null }

export class HostReach {
  private readonly hosts: HostRegistry
  private readonly transport: Transport | null
  private readonly clock: Clock
  private readonly knocks = new Rates(RATE)
  private readonly dials = new Rates(RATE)

  constructor(parts: { hosts: HostRegistry; transport: Transport | null; clock: Clock }) {
    this.hosts = parts.hosts
    this.transport = parts.transport
    this.clock = parts.clock
  }

  /** `not-yours`, `unknown-host`, `rate-limited`. */
  async knock(key: PeerId, from: string, host: HostId, request: hostApi.KnockRequest): Promise<hostApi.KnockReply> {
    this.admit(key, host, this.knocks)
    const address = from.replace(/^::ffff:(?=\d+\.)/, '')
    if (isIP(address) === 0) return { address: address.slice(0, 64), sent: false }
    const datagram = encodeKnock(Buffer.from(request.nonce, 'hex'))
    return { address, sent: await sendTo(address, request.port, datagram) }
  }

  /** A ping, over a connection that is there or a new one. The same codes; that it fails is an answer. */
  async dial(key: PeerId, host: HostId): Promise<hostApi.DialReply> {
    this.admit(key, host, this.dials)
    const { transport, clock } = this
    if (transport === null) return { ...UNREACHED, code: 'offline', tookMs: 0 }
    const startedMs = clock.monotonicMs()
    const tookMs = () => Math.round(clock.monotonicMs() - startedMs)
    try {
      await transport.request(host, { method: METHOD.ping, head: Buffer.alloc(0), deadlineMs: DIAL_MS })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return { ...UNREACHED, code: codeOf(error), tookMs: tookMs() }
    }
    const openMs = tookMs()
    const path = await this.settledPath(transport, host)
    return { reached: true, tookMs: openMs, kind: path?.kind ?? null, outside: path?.outside ?? null }
  }

  /** A relay may be the first way that opens; a direct one takes its place within a second or so. */
  private async settledPath(transport: Transport, host: HostId): Promise<LinkPath | undefined> {
    for (let waitedMs = 0; waitedMs < SETTLE_MS; waitedMs += SETTLE_STEP_MS) {
      if (transport.pathTo?.(host)?.kind !== 'relayed') break
      await this.clock.sleep(SETTLE_STEP_MS)
    }
    return transport.pathTo?.(host)
  }

  private admit(key: PeerId, host: HostId, rates: Rates): void {
    if (key !== host) throw new AppError('not-yours', 'a host asks for itself')
    if (this.hosts.get(host) === undefined) throw new AppError('unknown-host', 'register first')
    rates.spend(host, this.clock.monotonicMs())
  }
}

/** From a fresh port. False: this machine cannot send there. */
async function sendTo(address: string, port: number, datagram: Buffer): Promise<boolean> {
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
  try {
    const send = () =>
      new Promise<boolean>((resolve) => socket.send(datagram, port, address, (error) => resolve(error === null)))
    const sent = await Promise.all(Array.from({ length: KNOCKS }, send))
    return sent.some((one) => one)
  } finally {
    socket.close()
  }
}
