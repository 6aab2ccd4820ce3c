/** What a node may set of its WebRTC connections. */
import { FRAME_BYTES_MAX } from '../wire/frame-limits.js'
import type { RtcConfig } from './webrtc-library.js'

export interface WebRtcOptions {
  /** '127.0.0.1' for networks on one machine; unset: all addresses. */
  bindAddress?: string
  /** 'stun:host:port', 'turn:user:password@host:port'; asked with each dial and each answer. */
  iceServers?: () => Promise<string[]>
  /** One fixed port for all connections (hosts behind a forwarded port) or a range. Unset: any port. */
  udpPorts?: { first: number; last: number }
  /** Several connections on one port; needs `udpPorts` with first = last. */
  udpMux?: boolean
  /** Of the path. 4,000 lifts one loopback connection to twice the speed; 9,000 and above hang. Unset: 1,280 or so. */
  mtu?: number
  /** Hides this machine's addresses from peers: TURN only, through turn-tunnel.ts. Not together with `udpMux`. */
  relayOnly?: boolean
}

export function rtcConfigOf(options: WebRtcOptions, iceServers: string[]): RtcConfig {
  const config: RtcConfig = { iceServers, maxMessageSize: FRAME_BYTES_MAX }
  if (options.bindAddress !== undefined) config.bindAddress = options.bindAddress
  if (options.mtu !== undefined) config.mtu = options.mtu
  if (options.udpMux) config.enableIceUdpMux = true
  if (options.relayOnly) {
    config.iceTransportPolicy = 'relay'
    // From there no packet reaches another machine but through the tunnel.
    config.bindAddress = '127.0.0.1'
    delete config.mtu
  }
  if (options.udpPorts !== undefined) {
    config.portRangeBegin = options.udpPorts.first
    config.portRangeEnd = options.udpPorts.last
  }
  return config
}
