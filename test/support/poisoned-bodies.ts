/**
 * Memory of bodies in which every use at the wrong time shows: what was given back, and what was taken and is not filled
 * yet, is full of 0xDB. Whoever still looks at a body after its end reads that instead of what looks right by luck.
 */
import { BodyPool } from '../../src/rtc/body-pool.js'

export const POISON = 0xdb

export class PoisonedBodies extends BodyPool {
  override take(length: number): Buffer {
    return super.take(length).fill(POISON)
  }

  override giveBack(body: Buffer): void {
    body.fill(POISON)
    super.giveBack(body)
  }
}
