/** Position-revealing bytes: every 8 bytes hold seed and offset, so a misplaced byte shows where it came from. */
export function rampBytes(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(size / 8) * 8)
  for (let at = 0; at < size; at += 8) {
    bytes.writeUInt32LE((seed * 2_654_435_761) >>> 0, at)
    bytes.writeUInt32LE(at, at + 4)
  }
  return bytes.subarray(0, size)
}

/** Part of them, from any place. */
export function rampRange(seed: number, offset: number, size: number): Buffer {
  const from = offset - (offset % 8)
  const bytes = Buffer.alloc(Math.ceil((offset + size - from) / 8) * 8)
  for (let at = 0; at < bytes.length; at += 8) {
    bytes.writeUInt32LE((seed * 2_654_435_761) >>> 0, at)
    bytes.writeUInt32LE(from + at, at + 4)
  }
  return bytes.subarray(offset - from, offset - from + size)
}

/** Repeatable randomness (mulberry32): numbers in [0, 1). Print the seed where a test uses it. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
