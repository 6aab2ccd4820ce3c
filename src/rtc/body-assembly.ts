/** One incoming body: straight into one buffer of the announced length. A body that came whole in a frame is not copied. */
import { AppError } from '../base/errors.js'
import { FLAG_LAST, type Frame } from '../wire/frames.js'
import type { BodyPool } from './body-pool.js'

export class BodyAssembly {
  readonly bytes: Buffer
  received: number

  /** `length` is bounded by the frame rules and reserved by the caller. */
  constructor(length: number, first: Buffer, pool: BodyPool) {
    this.received = first.length
    if (first.length === length) {
      this.bytes = first
      return
    }
    this.bytes = pool.take(length)
    first.copy(this.bytes)
  }

  get whole(): boolean {
    return this.received === this.bytes.length
  }

  /** Throws `malformed` for bytes past the end and for a last flag that disagrees with the length. */
  append(frame: Frame): void {
    const end = this.received + frame.payload.length
    if (end > this.bytes.length) throw new AppError('malformed', 'more body than announced')
    if ((end === this.bytes.length) !== ((frame.flags & FLAG_LAST) !== 0)) {
      throw new AppError('malformed', 'last flag against the length')
    }
    frame.payload.copy(this.bytes, this.received)
    this.received = end
  }
}
