/** Every bound and every time of the transport, with its reason. */

const MIB = 1_048_576

/**
 * Memory for bodies: replies that this side waits for, and (counted apart, so that two peers can never wait for each
 * other's memory) requests that it serves. A request reserves body and largest reply; what does not fit waits.
 */
export const IN_FLIGHT_BYTES_MAX = 64 * MIB
/** One peer's part of it: eight whole shards; a slow or hostile peer cannot hold the rest. */
export const IN_FLIGHT_BYTES_PER_PEER_MAX = 16 * MIB
/** Own requests to one peer that wait for memory or a turn; more are `busy`. */
export const WAITING_PER_PEER_MAX = 1_024
/** First frames of requests that wait for memory are held; beyond this a request is answered `busy`. */
export const HELD_BYTES_MAX = 16 * MIB

/** Frames of bodies. 64, 128 and 256 KiB move the same MB/s (bench/transport.ts, 2 cores): the smallest interleaves best. */
export const CHUNK_BYTES = 65_536
/** A frame up to this size goes before bodies: a ping never waits for more than what the channel has buffered. */
export const SMALL_FRAME_BYTES_MAX = 16_384
/** So many small frames, then one of a body: neither starves. */
export const SMALL_FRAMES_IN_A_ROW_MAX = 8
/** Small frames that wait for the channel. A peer that asks and never reads the answers is cut off here. */
export const SMALL_FRAMES_QUEUED_MAX = 4_096
/** Bytes handed to a channel and not yet sent: pause above high, go on below low. */
export const BUFFERED_HIGH_BYTES = 1 * MIB
export const BUFFERED_LOW_BYTES = 262_144
/** All channels of the process together. */
export const BUFFERED_TOTAL_BYTES_MAX = 64 * MIB

/**
 * Under a rate limit a request that would wait longer for its bytes is refused (`busy`, elsewhere): below the deadlines of
 * those who ask, 12 s for a part of a shard and 30 s for a put.
 */
export const UP_WAIT_MS_MAX = 8_000
export const DOWN_WAIT_MS_MAX = 20_000

/** Deadlines, beats and silence are looked at this often. */
export const TICK_MS = 100
/** While any request is open, a side that has sent nothing for so long sends a beat. */
export const BEAT_MS = 1_000
/** While any request is open, a peer that has said nothing for so long is dead. Above a slow disk's fsync. */
export const SILENCE_MS = 5_000
/** The same on connections without requests: finds peers that vanished, and keeps address translation open. */
export const IDLE_BEAT_MS = 15_000
export const IDLE_SILENCE_MS = 45_000
/** No body byte of a request, or no room in the channel, for so long: given up. */
export const STALL_MS = 30_000
/** Connections without requests are closed after this time; the accepting side waits twice as long. */
export const IDLE_CLOSE_MS = 300_000

/** From dial to open channel. */
export const DIAL_MS = 10_000
/** So many connections may end before a request leaves: a restart takes one; a peer that lets them all die is given up. */
export const CONNECTIONS_LOST_MAX = 3
/** After a failed dial, requests to the same peer fail at once for this time. */
export const DIAL_AGAIN_MS = 500
/** Candidates that are not there by then are left out. */
export const GATHER_MS = 1_500
export const PEERS_MAX = 256
/** Offers being answered at a time. */
export const ACCEPTING_MAX = 64
