/** Sizes that both ends of a data channel agree on (docs/protocol.md section 4). */

export const FRAME_HEADER_BYTES = 16
/** The largest message that node-datachannel carries. */
export const FRAME_BYTES_MAX = 262_144
export const HEAD_BYTES_MAX = 4_096
/** Above the largest shard (1,966,080). */
export const BODY_BYTES_MAX = 2_097_152
/** Body bytes that may ride in the request frame itself, so that small bodies cost no round trip; the rest waits for credit. */
export const FREE_WINDOW_BYTES = 65_536
/** Requests of one peer that the other side serves or keeps waiting at a time. */
export const REQUESTS_PER_PEER_MAX = 64
