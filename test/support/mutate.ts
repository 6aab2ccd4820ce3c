import type { Dice } from './dice.js'

/** A changed copy: cut short, grown, or with bits flipped; never equal to the original. */
export function mutate(dice: Dice, original: Uint8Array): Buffer {
  const bytes = Buffer.from(original)
  const way = dice.roll(0, 9)
  if (way === 0) return bytes.subarray(0, dice.roll(0, Math.max(0, bytes.length - 1)))
  if (way === 1) return Buffer.concat([bytes, dice.bytes(dice.roll(1, 64))])
  if (way === 2 && bytes.length > 8) {
    const at = dice.roll(0, bytes.length - 8)
    const kept = bytes.subarray(at, at + 8)
    const noise = dice.bytes(8)
    if (!kept.equals(noise)) noise.copy(bytes, at)
    else bytes[at] = (bytes[at] as number) ^ 1
    return bytes
  }
  const seen = new Set<number>()
  for (let flips = dice.roll(1, 4); flips > 0; flips--) {
    const bit = dice.roll(0, bytes.length * 8 - 1)
    if (seen.has(bit)) continue
    seen.add(bit)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  }
  return bytes
}
