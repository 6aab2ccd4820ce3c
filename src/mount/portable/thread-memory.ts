/**
 * What fuse-native's C side keeps of the request that a libfuse thread is waiting for. The package lays it out in a Buffer of
 * ours (fuse_thread_locals_t of fuse-native.c) and hands that over with each call, so what it forgets to pass on can be read here.
 *
 * Needed for one thing: utimens() gets the access time twice and the modification time never. Both are in this memory, as signed
 * milliseconds. Nothing is believed of the layout: it must show the opcode and the access time that were passed, or there is no answer.
 *
 *   offset 8    u32   opcode
 *          104  i64   access time, ms
 *          112  i64   modification time, ms
 */
const OPCODE_AT = 8
const ATIME_AT = 104
const MTIME_AT = 112
/** utimens in fuse-native.c. */
const OP_UTIMENS = 12
const TWO_32 = 2n ** 32n

export interface TimesMs {
  readonly atimeMs: number
  readonly mtimeMs: number
}

/** `low` and `high`: the access time as it was passed. null: this is not the memory that we know. */
export function timesOf(thread: Buffer, low: number, high: number): TimesMs | null {
  if (thread.length < MTIME_AT + 8 || thread.readUInt32LE(OPCODE_AT) !== OP_UTIMENS) return null
  const atimeMs = thread.readBigInt64LE(ATIME_AT)
  if (BigInt.asUintN(64, atimeMs) !== BigInt(high) * TWO_32 + BigInt(low)) return null
  return { atimeMs: Number(atimeMs), mtimeMs: Number(thread.readBigInt64LE(MTIME_AT)) }
}
