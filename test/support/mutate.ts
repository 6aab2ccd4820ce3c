/**
 * Bytes as an enemy would send them: a sound object, changed. Ways that find different faults: noise, cuts and growth, two
 * sound objects joined, lengths and counts that lie (every width and byte order, and varints), stretches that come twice, are
 * missing or are all one byte. JSON has a mutator of its own: mutate-json.ts.
 */
import type { Dice } from './dice.js'

/** Where a length is most probably: the head of most formats. */
const HEAD_BYTES = 64
/** Above every limit that is told before anything is read; seldom, because it is slow. */
const OVERSIZE_BYTES = 70_000
const OVERSIZE_ODDS = 200

/** A changed copy; never equal to the original. `other`: another sound object, to be joined with this one. */
export function mutate(dice: Dice, original: Uint8Array, other?: Uint8Array): Buffer {
  let bytes: Buffer = Buffer.from(original)
  // One change mostly: with more, the first check of a decoder hides all the others.
  for (let changes = dice.pick([1, 1, 1, 1, 2, 3]); changes > 0; changes--) bytes = change(dice, bytes, other)
  if (!bytes.equals(original)) return bytes
  if (bytes.length === 0) return Buffer.from([0])
  flip(dice, bytes)
  return bytes
}

function change(dice: Dice, bytes: Buffer, other: Uint8Array | undefined): Buffer {
  if (bytes.length === 0) return grow(dice, bytes)
  return dice.pick(WAYS)(dice, bytes, other)
}

type Way = (dice: Dice, bytes: Buffer, other: Uint8Array | undefined) => Buffer

const WAYS: readonly Way[] = [
  flips,
  flips,
  flips,
  (dice, bytes) => bytes.subarray(0, dice.roll(0, bytes.length - 1)),
  grow,
  lieAboutLength,
  lieAboutLength,
  lieAboutLength,
  lieInVarint,
  join,
  rearrange,
  flood,
  (dice, bytes) => {
    bytes[dice.roll(0, bytes.length - 1)] = dice.pick([0, 1, 0x0a, 0x2f, 0x7f, 0x80, 0xff])
    return bytes
  },
]

function flips(dice: Dice, bytes: Buffer): Buffer {
  for (let count = dice.roll(1, 4); count > 0; count--) flip(dice, bytes)
  return bytes
}

function flip(dice: Dice, bytes: Buffer): void {
  const bit = dice.roll(0, bytes.length * 8 - 1)
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
}

function grow(dice: Dice, bytes: Buffer): Buffer {
  if (dice.roll(1, OVERSIZE_ODDS) === 1)
    return Buffer.concat([bytes, Buffer.alloc(OVERSIZE_BYTES, dice.pick([0, 0xff]))])
  const size = dice.roll(1, 64)
  return Buffer.concat([bytes, dice.pick([dice.bytes(size), Buffer.alloc(size), Buffer.from(bytes.subarray(-size))])])
}

/** A number of any usual width where one may be: nothing, one too many, the largest, just above what a double counts. */
function lieAboutLength(dice: Dice, bytes: Buffer): Buffer {
  const width = dice.pick([1, 2, 4, 8].filter((one) => one <= bytes.length))
  const last = bytes.length - width
  const at = dice.roll(0, dice.pick([last, Math.min(last, HEAD_BYTES)]))
  const rest = BigInt(last - at)
  const top = 1n << BigInt(width * 8)
  const edges = [
    0n,
    1n,
    rest,
    rest + 1n,
    rest - 1n,
    top - 1n,
    top / 2n,
    top / 2n - 1n,
    1n << 31n,
    (1n << 53n) - 1n,
    1n << 53n,
  ]
  const field = Buffer.alloc(8)
  field.writeBigUInt64BE(BigInt.asUintN(width * 8, dice.pick(edges)))
  const value = field.subarray(8 - width)
  if (dice.roll(0, 1) === 0) value.reverse()
  value.copy(bytes, at)
  return bytes
}

/** Too long, not minimal, larger than any blob. */
function lieInVarint(dice: Dice, bytes: Buffer): Buffer {
  const lies = ['00', '8000', 'ffff7f', 'ffffffff0f', 'ffffffffffffff0f', 'ffffffffffffffff7f', '808080808080808080']
  Buffer.from(dice.pick(lies), 'hex').copy(bytes, dice.roll(0, bytes.length - 1))
  return bytes
}

function join(dice: Dice, bytes: Buffer, other: Uint8Array | undefined): Buffer {
  const second = other ?? bytes
  const at = dice.roll(0, bytes.length)
  const from = dice.pick([Math.min(at, second.length), dice.roll(0, second.length)])
  return Buffer.concat([bytes.subarray(0, at), second.subarray(from)])
}

/** A stretch comes twice, is missing, or changes places with what is behind it. */
function rearrange(dice: Dice, bytes: Buffer): Buffer {
  const [a, b, c] = [0, 0, 0].map(() => dice.roll(0, bytes.length)).sort((x, y) => x - y) as [number, number, number]
  const [head, one, two, tail] = [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b, c), bytes.subarray(c)]
  return Buffer.concat(
    dice.pick([
      [head, one, one, two, tail],
      [head, two, tail],
      [head, two, one, tail],
    ]),
  )
}

function flood(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.roll(0, bytes.length - 1)
  return bytes.fill(
    dice.pick([0, 0xff, 0x80, 0x41]),
    at,
    Math.min(bytes.length, at + dice.pick([2, 4, 8, 32, bytes.length])),
  )
}
