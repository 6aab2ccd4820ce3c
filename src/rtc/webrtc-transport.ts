/** The transport over WebRTC data channels. Main thread only (see webrtc-library.ts). */
import { newCounters } from './counters.js'
import { PeerNetwork, type PeerNetworkOptions } from './peer-network.js'
import type { FrameTap } from './transport.js'
import { WebRtcDialer, type WebRtcParts } from './webrtc-dialer.js'
import type { WebRtcOptions } from './webrtc-options.js'

export interface WebRtcTransportParts extends Omit<WebRtcParts, 'counters'> {
  tap?: FrameTap
}

export function createWebRtcTransport(
  parts: WebRtcTransportParts,
  options: WebRtcOptions & PeerNetworkOptions = {},
): PeerNetwork {
  const counters = newCounters()
  const dialer = new WebRtcDialer({ ...parts, counters }, options)
  return new PeerNetwork({ dialer, clock: parts.clock, tap: parts.tap, counters }, options)
}
