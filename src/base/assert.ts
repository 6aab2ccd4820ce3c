/** Broken beliefs crash: an assertion that fails means that the program is wrong, not the world. */
export class BrokenBelief extends Error {
  constructor(message: string) {
    super(`assertion failed: ${message}`)
    this.name = 'BrokenBelief'
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BrokenBelief(message)
}

/** Offsets, sizes and counters live in the safe-integer range (2^53 - 1). */
export function assertSafe(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new BrokenBelief(`${name} is not a safe unsigned integer: ${value}`)
}
