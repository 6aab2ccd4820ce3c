/**
 * How processes speak to each other over data channels: one request, one reply, each a small head and an optional
 * body. Two implementations pass the same suite (test/suites/transport-suite.ts): PeerNetwork (WebRTC) and
 * MemoryTransport. Only ids, numbers and buffers cross this interface, so that it can move to a thread of its own.
 *
 * What a caller may rely on:
 * - a request settles: with the reply, or rejected within its deadline (seen within 100 ms);
 * - expected rejections are AppErrors: `peer-unreachable` (no connection within 10 s), `peer-lost` (the connection
 *   died; the request may or may not have been carried out), `timed-out`, `busy`, `stopped`, `fingerprint-mismatch`
 *   (the other side is not who it should be), or whatever code the serving side threw (wire/error-codes.ts);
 * - nothing is sent twice. A request of which not a byte was sent when its connection ended takes the next connection, a
 *   new one if need be, within its deadline: `peer-lost` then only when three have ended under it, and when the dial
 *   fails, at once what the dial says;
 * - an aborted signal rejects with its reason, untouched, and the serving side's signal fires;
 * - memory is bounded (rtc/limits.ts): beyond it, requests wait their turn, first come first served.
 */
import type { PeerId } from '../model/ids.js'
import type { LinkPath } from './link.js'

export interface TransportRequest {
  /** METHOD of wire/methods.ts. */
  method: number
  /** At most 4 KiB. */
  head: Buffer
  /** At most 2 MiB. Must not change until the request settles. */
  body?: Buffer
  /** From now. Includes dialing and waiting for memory. */
  deadlineMs: number
  /** Largest reply body that is wanted; memory for it is set aside. Default: replyBytesMaxOf(method). */
  replyBytesMax?: number
  signal?: AbortSignal
}

export interface TransportReply {
  head: Buffer
  /** Empty when the reply has none. Belongs to the receiver. */
  body: Buffer
}

export interface IncomingRequest {
  method: number
  head: Buffer
  /** Empty when the request has none. Belongs to the receiver. */
  body: Buffer
  /** The largest reply body that the requester takes. */
  replyBytesMax: number
  /** Fires when the requester cancelled, its deadline passed or its connection died. */
  signal: AbortSignal
}

export interface OutgoingReply {
  head: Buffer
  /** Must not change afterwards. */
  body?: Buffer
}

/** `from` is the verified identity of the connection. An AppError thrown here reaches the requester with its code. */
export type RequestServer = (from: PeerId, request: IncomingRequest) => Promise<OutgoingReply>

/** Looks at a request before its body is received; throws an AppError to refuse it there. Must be quick. */
export type RequestGate = (from: PeerId, request: { method: number; head: Buffer; bodyLength: number }) => void

/** Who sets them bounds them: at less than 100,000 a single shard (1,966,080 bytes) comes too late for every put. */
export interface Rates {
  upBytesPerSecondMax: number | null
  downBytesPerSecondMax: number | null
}

/** Open connections by how their packets travel. */
export interface PathCounts {
  direct: number
  relayed: number
}

export interface Transport {
  request(peer: PeerId, request: TransportRequest): Promise<TransportReply>
  /** Requests that arrive before this is called are refused with `busy`. */
  serve(server: RequestServer, gate?: RequestGate): void
  /** Opens connections ahead of need, in the background; failures are forgotten. */
  warm(peers: Iterable<PeerId>): void
  /** Peers with an open connection now. */
  connected(): PeerId[]
  /** How packets travel to a connected peer; undefined without a connection, and without a network. */
  pathTo?(peer: PeerId): LinkPath | undefined
  /** Of the connections that are open now. */
  paths?(): PathCounts
  /** For a body that arrived here, a reply's or a request's, when nobody looks at it any more. Voluntary: it saves memory and time. */
  recycle?(body: Buffer): void
  /** Bytes a second of all connections together, from now on; null: no limit. What this side asks of others is counted, and its replies
   *  are not held back. */
  setRates?(rates: Rates): void
  /** Rejects what is pending with `stopped` and closes every connection. */
  stop(): Promise<void>
}

/** Observer of every frame that leaves, before encryption. The buffer is only valid during the call. */
export type FrameTap = (to: PeerId, frame: Buffer) => void
