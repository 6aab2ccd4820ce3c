/**
 * Who is connected now, and signals between them. One live peer a key, the newer wins (see attach). Signals pass between a device or
 * the bridge on one side and a host on the other; nobody else is reachable through here. The bridge is a peer of its
 * own hub (self.ts). Nothing is stored: who is not connected is `unreachable`, and the sender tries again.
 */

import { BrokenBelief } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import type { HostId, PeerId } from '../../model/ids.js'
import type { BridgeMessage, SignalMessage } from '../../wire/socket.js'
import { Rates } from '../rates.js'

export type PeerRole = 'device' | 'host' | 'bridge'

/** One connected peer, whatever carries it. `send` never throws and never waits. */
export interface HubPeer {
  readonly key: PeerId
  readonly role: PeerRole
  /** Which process of the key it is; undefined: it did not say. */
  readonly process?: string | undefined
  send(message: BridgeMessage): void
  /** Another connection of the same key took its place, another process did for good, or the key lost its right. */
  end(reason: 'replaced' | 'moved' | 'revoked'): void
}

export interface HubEvents {
  onHostOnline(host: HostId): void
  onHostOffline(host: HostId): void
}

/** An offer to each of 500 hosts at once, and then steadily. */
const SIGNALS = { perSecond: 100, burst: 1_000 }

export class Hub {
  private readonly peers = new Map<PeerId, HubPeer>()
  private readonly rates = new Rates(SIGNALS)
  private readonly clock: Clock
  private readonly listeners = new Set<HubEvents>()
  /** Changes a signal before it is relayed; null loses it. For a bridge that lies (tests). */
  onRelay: (signal: SignalMessage) => SignalMessage | null = (signal) => signal

  constructor(parts: { clock: Clock }) {
    this.clock = parts.clock
  }

  listen(events: HubEvents): () => void {
    this.listeners.add(events)
    return () => this.listeners.delete(events)
  }

  /**
   * Call `detach` with the same peer exactly when its connection ended. The newer connection of a key wins, but of two
   * processes the one that began later: the other is told to end, so that copies of one host do not fight for ever.
   */
  attach(peer: HubPeer): void {
    const before = this.peers.get(peer.key)
    if (before?.role === 'bridge') throw new BrokenBelief('the bridge attaches once')
    const areTwo = before?.process !== undefined && peer.process !== undefined && before.process !== peer.process
    if (areTwo && (before.process ?? '') > (peer.process ?? '')) {
      peer.end('moved')
      return
    }
    this.peers.set(peer.key, peer)
    before?.end(areTwo ? 'moved' : 'replaced')
    if (peer.role !== 'host') return
    for (const listener of this.listeners) listener.onHostOnline(peer.key as HostId)
  }

  detach(peer: HubPeer): void {
    if (this.peers.get(peer.key) !== peer) return
    this.peers.delete(peer.key)
    if (peer.role !== 'host') return
    for (const listener of this.listeners) listener.onHostOffline(peer.key as HostId)
  }

  /** Ends a peer whose key may speak no longer. */
  expel(key: PeerId): void {
    const peer = this.peers.get(key)
    if (peer === undefined || peer.role === 'bridge') return
    this.detach(peer)
    peer.end('revoked')
  }

  relay(from: HubPeer, message: SignalMessage): void {
    const target = this.peers.get(message.to as PeerId)
    const allowed = target !== undefined && mayMeet(from.role, target.role)
    const paced = from.role === 'bridge' || this.rates.allows(from.key, this.clock.monotonicMs())
    if (!allowed || !paced) {
      from.send({ type: 'unreachable', to: message.to, session: message.session })
      return
    }
    const signal = this.onRelay({ ...message, from: from.key })
    if (signal !== null) target.send(signal)
  }

  /** False when the host is not connected. */
  sendToHost(host: HostId, message: BridgeMessage): boolean {
    const peer = this.peers.get(host)
    if (peer === undefined || peer.role !== 'host') return false
    peer.send(message)
    return true
  }

  isOnline(host: HostId): boolean {
    return this.peers.get(host)?.role === 'host'
  }

  hostsOnline(): HostId[] {
    return [...this.peers.values()].filter((peer) => peer.role === 'host').map((peer) => peer.key as HostId)
  }

  get size(): number {
    return this.peers.size
  }
}

function mayMeet(a: PeerRole, b: PeerRole): boolean {
  return (a === 'host') !== (b === 'host')
}
