/** Arguments for the native codec: right ones for each of its functions, and values that fit somewhere, nearly fit, or fit nowhere. */
import type { CodecAddon } from '../../src/addon/codec.js'
import type { Dice } from './dice.js'

type Called = Exclude<keyof CodecAddon, 'version'>

function detached(): Uint8Array {
  const bytes = new Uint8Array(64)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

/** An array whose elements vanish while they are read. */
export function treacherous(): unknown[] {
  const first = new Uint8Array(new ArrayBuffer(4096))
  const list: unknown[] = [first]
  Object.defineProperty(list, 1, {
    enumerable: true,
    get() {
      if (first.length > 0) structuredClone(first.buffer, { transfer: [first.buffer] })
      return new Uint8Array(4096)
    },
  })
  return list
}

function throwing(): unknown[] {
  const list: unknown[] = [new Uint8Array(32)]
  Object.defineProperty(list, 1, {
    enumerable: true,
    get() {
      throw Object.assign(new Error('from a getter'), { code: 'ERR_CODEC_ARGUMENT' })
    },
  })
  return list
}

const NUMBERS = [
  ...[0, 1, 2, 3, 4, 8, 60, 254, 255, 256, -1, 1.5, 1024, 65_536, 1_966_080, 2 ** 31, 2 ** 32, 2 ** 53, 1e300],
]
const ODDITIES = [NaN, Infinity, -0, null, undefined, true, false, '', '4', Symbol('x'), 7n, {}, () => 1, new Date(0)]
const LENGTHS = [0, 1, 16, 31, 32, 33, 64, 96, 1000, 1024, 1025, 4096, 65_536, 65_537, 131_072, 262_145]

export function hostileValue(dice: Dice): unknown {
  const bytes = () => Buffer.alloc(dice.pick(LENGTHS), dice.roll(0, 255))
  const kind = dice.roll(0, 9)
  if (kind <= 2) return dice.pick(NUMBERS)
  if (kind <= 5) return bytes()
  if (kind === 6) return dice.pick(ODDITIES)
  if (kind === 7) return Array.from({ length: dice.roll(0, 6) }, () => dice.roll(-1, 9))
  if (kind === 8) {
    const one = bytes()
    return Array.from({ length: dice.roll(0, 6) }, () => dice.pick([one, one, one, bytes(), 5, null]))
  }
  const exotic = [
    () => detached(),
    () => treacherous(),
    () => throwing(),
    () => new Array(2 ** 31),
    () => new Array(5),
    () => new Proxy([], {}),
    () => new DataView(new ArrayBuffer(32)),
    () => new Uint16Array(16),
    () => new Float64Array(4),
    () => new ArrayBuffer(32),
    () => new Uint8Array(new SharedArrayBuffer(32)),
    () => Buffer.alloc(100).subarray(3, 35),
  ]
  return dice.pick(exotic)()
}

/** Arguments that are right, to be spoilt one or two at a time. */
export function rightArguments(dice: Dice): Record<Called, unknown[]> {
  const b = (size: number) => Buffer.alloc(size, dice.roll(0, 255))
  return {
    sealSegment: [b(32), dice.pick([b(5000), [b(100), b(4900)]]), 5120, 4, 8],
    openRange: [b(32), b(32), dice.roll(0, 99), b(300), false],
    openRangeSync: [b(32), b(32), dice.roll(0, 99), b(300), true],
    rebuildUnits: [2, 4, [0, 3], [b(1024), b(1024)], [1, 2]],
    multiply: [b(6), [b(100), b(100)]],
    codingMatrix: [4, 8],
    shardId: [b(5000)],
    leafHashes: [b(5000)],
    verifyLeaves: [b(32), 75_776, 64, b(10_240), b(32)],
    verifyLeavesSync: [b(32), 75_776, 63, b(2048), b(160)],
    sha256: [b(100)],
    hmacSha256: [b(32), b(100)],
    aes256Ctr: [b(32), b(16), b(100)],
    setPath: ['auto'],
    capability: [],
  }
}
