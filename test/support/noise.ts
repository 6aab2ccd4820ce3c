/** Bytes that look random and are the same everywhere. */
import { createHash } from 'node:crypto'

const HASH_BYTES = 32

/** The start of H(u32 seed || u32 0) || H(u32 seed || u32 1) || ...: what the golden vectors are made of. */
export function noiseBytes(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / HASH_BYTES) * HASH_BYTES)
  const input = Buffer.alloc(8)
  input.writeUInt32BE(seed >>> 0)
  for (let i = 0; i * HASH_BYTES < size; i++) {
    input.writeUInt32BE(i, 4)
    createHash('sha256')
      .update(input)
      .digest()
      .copy(bytes, i * HASH_BYTES)
  }
  return bytes.subarray(0, size)
}
