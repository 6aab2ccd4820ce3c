/**
 * The way to a TURN server for connections that must not show this machine's address. The library's own relay policy only
 * leaves addresses out of its description: it still probes the peer's addresses from here, and the peer then sees ours (and
 * they connect directly). So with relay-only the library is bound to 127.0.0.1, from where the kernel lets nothing reach
 * another machine, and TURN servers are offered to it at ports of this tunnel, which carries datagrams to the real server
 * and back, and nowhere else.
 *
 * Each socket of the library gets one of its own towards the server: that is what a TURN server tells clients apart by.
 * Bounded: sockets that are quiet for two minutes are closed, and the quietest when there are too many.
 */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { isIP } from 'node:net'
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { type IceServer, parseIceServer } from './ice-server.js'
import { ACCEPTING_MAX, PEERS_MAX } from './limits.js'

/** A living connection sends a beat every 15 s. */
const QUIET_MS = 120_000
/** One for each connection and each attempt. */
const FLOWS_MAX = PEERS_MAX + 2 * ACCEPTING_MAX
const LOOPBACK = '127.0.0.1'

interface Flow {
  outside: Socket
  usedAtMs: number
}

export class TurnTunnel {
  private readonly inside: Socket
  private readonly server: { address: string; port: number; family: 4 | 6 }
  private readonly clock: Clock
  /** By the library's port; least recently used first. */
  private readonly flows = new Map<number, Flow>()
  private readonly closing = new AbortController()

  private constructor(inside: Socket, server: TurnTunnel['server'], clock: Clock) {
    this.inside = inside
    this.server = server
    this.clock = clock
    inside.on('message', (datagram, from) => {
      // The port is open to everybody on this machine: only the library's side of it is served.
      if (from.address === LOOPBACK) this.flowOf(from.port).outside.send(datagram, server.port, server.address)
    })
    inside.on('error', () => undefined)
    void this.watch()
  }

  /** `peer-unreachable` when the name of the server leads nowhere. */
  static async open(server: { host: string; port: number }, clock: Clock): Promise<TurnTunnel> {
    const { host, port } = server
    const found = await lookup(host).catch((cause: unknown) => {
      throw new AppError('peer-unreachable', `the TURN server ${host} has no address`, { retry: 'later', cause })
    })
    const inside = createSocket('udp4')
    inside.bind(0, LOOPBACK)
    await once(inside, 'listening')
    inside.unref()
    return new TurnTunnel(inside, { address: found.address, port, family: isIP(found.address) as 4 | 6 }, clock)
  }

  /** Where the library reaches the server. */
  get address(): string {
    return `${LOOPBACK}:${this.inside.address().port}`
  }

  close(): void {
    if (this.closing.signal.aborted) return
    this.closing.abort()
    this.inside.close()
    for (const { outside } of this.flows.values()) outside.close()
    this.flows.clear()
  }

  private flowOf(libraryPort: number): Flow {
    const known = this.flows.get(libraryPort)
    const flow = known ?? this.newFlow(libraryPort)
    flow.usedAtMs = this.clock.monotonicMs()
    this.flows.delete(libraryPort)
    this.flows.set(libraryPort, flow)
    return flow
  }

  private newFlow(libraryPort: number): Flow {
    if (this.flows.size >= FLOWS_MAX) {
      const [quietest] = this.flows.keys()
      if (quietest !== undefined) this.end(quietest)
    }
    const { address, port, family } = this.server
    const outside = createSocket(family === 4 ? 'udp4' : 'udp6')
    // A server that is away, a network that is down: datagrams are lost, as they may be.
    outside.on('error', () => undefined)
    outside.on('message', (datagram, from) => {
      // Nobody but the server is heard.
      if (from.address !== address || from.port !== port || this.closing.signal.aborted) return
      this.inside.send(datagram, libraryPort, LOOPBACK)
    })
    outside.unref()
    return { outside, usedAtMs: 0 }
  }

  private end(libraryPort: number): void {
    this.flows.get(libraryPort)?.outside.close()
    this.flows.delete(libraryPort)
  }

  private async watch(): Promise<void> {
    while (await this.clock.sleep(QUIET_MS / 2, this.closing.signal)) {
      const nowMs = this.clock.monotonicMs()
      for (const [port, flow] of [...this.flows]) if (nowMs - flow.usedAtMs > QUIET_MS) this.end(port)
    }
  }
}

/** The tunnels of one transport, opened when they are first needed. */
export class TurnTunnels {
  private readonly tunnels = new Map<string, Promise<TurnTunnel>>()
  private readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** What to offer to the library instead of these servers. `peer-unreachable`: no TURN server is among them. */
  async through(iceServers: readonly string[]): Promise<string[]> {
    const servers = iceServers.map(parseIceServer).filter((one) => one?.kind === 'turn')
    if (servers.length === 0) {
      const why = 'the bridge names no TURN server, and with --relay-only there is no other way'
      throw new AppError('peer-unreachable', why, { retry: 'later' })
    }
    return Promise.all(
      servers.map(async (server) => {
        const { address } = await this.to(server as IceServer)
        return `turn:${server?.credentials}${address}`
      }),
    )
  }

  private async to({ host, port }: IceServer): Promise<TurnTunnel> {
    const name = `${host} ${port}`
    const known = this.tunnels.get(name) ?? TurnTunnel.open({ host, port }, this.clock)
    this.tunnels.set(name, known)
    // Tried again with the next connection.
    known.catch(() => this.tunnels.delete(name))
    return known
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.tunnels.values())
    for (const one of opened) if (one.status === 'fulfilled') one.value.close()
  }
}
