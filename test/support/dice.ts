/** Choices for tests, made from a seed: a failing test prints the seed and can be run again. */
import { seededRandom } from './ramp.js'

export class Dice {
  private readonly next: () => number

  constructor(seed: number) {
    this.next = seededRandom(seed)
  }

  /** A whole number in [low, high]. */
  roll(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[this.roll(0, from.length - 1)] as T
  }

  shuffle<T>(from: readonly T[]): T[] {
    const out = [...from]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.roll(0, i)
      ;[out[i], out[j]] = [out[j] as T, out[i] as T]
    }
    return out
  }

  bytes(size: number): Buffer {
    return Buffer.from(Array.from({ length: size }, () => this.roll(0, 255)))
  }
}

/** From the environment (SEED=...), or fresh; printed by the test that uses it. */
export function testSeed(): number {
  return process.env.SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.SEED)
}
