import { assert, assertSafe } from './assert.js'

/** Builds one binary object: big-endian, growing, bounded by what the caller writes. */
export class ByteWriter {
  private buffer: Buffer
  private length = 0

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(capacity)
  }

  private room(size: number): number {
    const at = this.length
    if (at + size > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, at + size))
      this.buffer.copy(grown, 0, 0, at)
      this.buffer = grown
    }
    this.length = at + size
    return at
  }

  u8(value: number): this {
    assert(value >= 0 && value <= 0xff, 'u8 range')
    const at = this.room(1)
    this.buffer[at] = value
    return this
  }

  u16(value: number): this {
    const at = this.room(2)
    this.buffer.writeUInt16BE(value, at)
    return this
  }

  u32(value: number): this {
    const at = this.room(4)
    this.buffer.writeUInt32BE(value, at)
    return this
  }

  u64(value: number): this {
    assertSafe(value, 'u64')
    const at = this.room(8)
    this.buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at)
    this.buffer.writeUInt32BE(value % 2 ** 32, at + 4)
    return this
  }

  /** Signed 64 bit, for times in nanoseconds. */
  i64(value: bigint): this {
    const at = this.room(8)
    this.buffer.writeBigInt64BE(value, at)
    return this
  }

  /** Unsigned LEB128, at most 8 bytes (values below 2^53). */
  varint(value: number): this {
    assertSafe(value, 'varint')
    let rest = value
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    return this.u8(rest)
  }

  /** Exactly `size` bytes, no length prefix. */
  fixed(bytes: Uint8Array, size: number): this {
    assert(bytes.length === size, `expected ${size} bytes, got ${bytes.length}`)
    const at = this.room(size)
    this.buffer.set(bytes, at)
    return this
  }

  /** Length as varint, then the bytes. */
  blob(bytes: Uint8Array): this {
    this.varint(bytes.length)
    const at = this.room(bytes.length)
    this.buffer.set(bytes, at)
    return this
  }

  text(value: string): this {
    return this.blob(Buffer.from(value, 'utf8'))
  }

  get size(): number {
    return this.length
  }

  /** The bytes written so far; later writes may move them. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }
}
