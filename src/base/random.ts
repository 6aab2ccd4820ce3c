import { randomFillSync } from 'node:crypto'

/** Randomness is handed in, so that tests can repeat a run. Segment ids are drawn natively and not from here. */
export type RandomBytes = (size: number) => Buffer

export const systemRandom: RandomBytes = (size) => randomFillSync(Buffer.allocUnsafeSlow(size))
