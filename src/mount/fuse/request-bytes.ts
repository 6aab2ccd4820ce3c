/**
 * One request as the kernel wrote it, read field by field. The bytes are treated as hostile: every read is checked
 * against the length that was received and throws AppError `malformed`. 64-bit fields must be safe integers.
 */
import { AppError } from '../../base/errors.js'
import type { Timestamp } from './filesystem.js'

const TWO_32 = 2 ** 32
/** The longest name that the kernel sends: it stops at PATH_MAX, before Linux 6.13 at 1,024. Whether one is too long is not the door's to say. */
const NAME_SIZE_MAX = 4095
const SLASH = 0x2f

export function malformed(why: string): AppError {
  return new AppError('malformed', `kernel request: ${why}`)
}

export class RequestBytes {
  readonly view: DataView
  readonly bytes: Buffer
  /** Bytes received; the slot may be larger. */
  length = 0

  constructor(memory: ArrayBuffer, offset: number, size: number) {
    this.view = new DataView(memory, offset, size)
    this.bytes = Buffer.from(memory, offset, size)
  }

  need(at: number, size: number): void {
    if (at + size > this.length) throw malformed(`${this.length} bytes, needs ${at + size}`)
  }

  u32(at: number): number {
    this.need(at, 4)
    return this.view.getUint32(at, true)
  }

  u64(at: number): number {
    this.need(at, 8)
    const high = this.view.getUint32(at + 4, true)
    if (high > 0x1fffff) throw malformed('an integer above 2^53')
    return high * TWO_32 + this.view.getUint32(at, true)
  }

  /** For positions and lengths in files: the largest safe integer when it is more, which is beyond every file just the same. */
  u64Clamped(at: number): number {
    this.need(at, 8)
    const high = this.view.getUint32(at + 4, true)
    return high > 0x1fffff ? Number.MAX_SAFE_INTEGER : high * TWO_32 + this.view.getUint32(at, true)
  }

  /** Seconds beyond 2^53 are the nearest safe integer: some 285 million years away either way. */
  time(secAt: number, nsecAt: number): Timestamp {
    this.need(secAt, 8)
    const sec = this.view.getInt32(secAt + 4, true) * TWO_32 + this.view.getUint32(secAt, true)
    const nsec = this.u32(nsecAt)
    if (nsec > 999_999_999) throw malformed('a time out of range')
    return { sec: Math.min(Math.max(sec, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER), nsec }
  }

  copy(at: number, size: number): Buffer {
    this.need(at, size)
    const copied = Buffer.allocUnsafe(size)
    this.bytes.copy(copied, 0, at, at + size)
    return copied
  }

  /** A NUL-terminated, non-empty string, without its NUL. */
  text(at: number, sizeMax: number): Buffer {
    let end = at
    while (end < this.length && this.bytes[end] !== 0) end++
    if (end >= this.length) throw malformed('a string without an end')
    if (end === at || end - at > sizeMax) throw malformed(`a string of ${end - at} bytes`)
    return this.copy(at, end - at)
  }

  name(at: number): Buffer {
    const name = this.text(at, NAME_SIZE_MAX)
    if (name.includes(SLASH)) throw malformed('a name with a slash')
    return name
  }
}
