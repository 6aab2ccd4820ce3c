/** Wires this process's WebRTC transport: who we are, who carries our signals, what the network looks like from here. */
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { systemRandom } from '../base/random.js'
import type { SigningKey } from '../crypto/signing-key.js'
import { peerId } from '../model/ids.js'
import { makeDescriptionSigner } from '../permits/description.js'
import type { PeerNetwork } from '../rtc/peer-network.js'
import type { Signaling } from '../rtc/signaling.js'
import { createWebRtcTransport } from '../rtc/webrtc-transport.js'

export interface PeerSettings {
  key: SigningKey
  signaling: Signaling
  /** Bridge time, Unix ms. */
  nowMs(): number
  clock: Clock
  log: Log
  /** Where the network's bridge is: one on this machine means that all peers are. */
  bridgeUrl: URL
  /** STUN and TURN servers, asked for with each connection. */
  iceServers?: () => Promise<string[]>
  udpPort?: number
  /** Peers see the address of a TURN server and never ours. */
  relayOnly?: boolean
}

/** Packets of one machine need not fit a road: 4,000 doubles the speed of a loopback connection; 9,000 and above hang. */
const LOOPBACK_MTU = 4_000

export function openPeers(settings: PeerSettings): PeerNetwork {
  const { key, signaling, clock, log, iceServers, udpPort, relayOnly } = settings
  const signer = makeDescriptionSigner(key, settings.nowMs)
  const isLocal = isLoopbackName(settings.bridgeUrl.hostname)
  return createWebRtcTransport(
    { self: peerId(key.publicKey), signaling, signer, clock, log, random: systemRandom },
    {
      ...(isLocal ? { bindAddress: '127.0.0.1', mtu: LOOPBACK_MTU } : {}),
      ...(iceServers === undefined ? {} : { iceServers }),
      ...(udpPort === undefined ? {} : { udpPorts: { first: udpPort, last: udpPort }, udpMux: true }),
      ...(relayOnly === undefined ? {} : { relayOnly }),
    },
  )
}

export function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
