/** What the transport has seen, for status and metrics. Numbers only rise. */
export interface TransportCounters {
  dials: number
  dialsFailed: number
  accepted: number
  /** Descriptions with a wrong signature, identity, session, time or shape. */
  descriptionsRefused: number
  /** Connections closed because a peer sent bytes that are no frame or do not fit its requests. */
  malformedFrames: number
  peersLost: number
  requests: number
  requestsServed: number
  /** Incoming requests refused for want of memory or turns. */
  requestsRefused: number
  bytesSent: number
  bytesReceived: number
}

export function newCounters(): TransportCounters {
  return {
    dials: 0,
    dialsFailed: 0,
    accepted: 0,
    descriptionsRefused: 0,
    malformedFrames: 0,
    peersLost: 0,
    requests: 0,
    requestsServed: 0,
    requestsRefused: 0,
    bytesSent: 0,
    bytesReceived: 0,
  }
}
