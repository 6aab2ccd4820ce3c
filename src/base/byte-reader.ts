import { AppError } from './errors.js'

/** Reads one hostile binary object: every read is bounds-checked and throws `malformed`. Views, no copies. */
export class ByteReader {
  private at = 0
  private readonly buffer: Buffer
  private readonly what: string

  constructor(bytes: Uint8Array, what: string) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.what = what
  }

  malformed(why: string): AppError {
    return new AppError('malformed', `${this.what}: ${why} at byte ${this.at}`)
  }

  private take(size: number): number {
    const at = this.at
    if (size > this.buffer.length - at) throw this.malformed(`needs ${size} bytes, has ${this.buffer.length - at}`)
    this.at = at + size
    return at
  }

  u8(): number {
    return this.buffer[this.take(1)] as number
  }

  u16(): number {
    return this.buffer.readUInt16BE(this.take(2))
  }

  u32(): number {
    return this.buffer.readUInt32BE(this.take(4))
  }

  u64(): number {
    const at = this.take(8)
    const high = this.buffer.readUInt32BE(at)
    if (high >= 0x200000) throw this.malformed('integer above 2^53')
    return high * 2 ** 32 + this.buffer.readUInt32BE(at + 4)
  }

  i64(): bigint {
    return this.buffer.readBigInt64BE(this.take(8))
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw this.malformed('integer above 2^53')
        if (i > 0 && byte === 0) throw this.malformed('varint is not minimal')
        return value
      }
      scale *= 0x80
    }
    throw this.malformed('varint too long')
  }

  fixed(size: number): Buffer {
    const at = this.take(size)
    return this.buffer.subarray(at, at + size)
  }

  blob(sizeMax: number): Buffer {
    const size = this.varint()
    if (size > sizeMax) throw this.malformed(`blob of ${size} bytes, at most ${sizeMax}`)
    return this.fixed(size)
  }

  text(sizeMax: number): string {
    return this.blob(sizeMax).toString('utf8')
  }

  expectMagic(magic: string): void {
    const found = this.fixed(magic.length).toString('latin1')
    if (found !== magic) throw this.malformed(`magic is not ${magic}`)
  }

  get remaining(): number {
    return this.buffer.length - this.at
  }

  get offset(): number {
    return this.at
  }

  /** Trailing bytes are an error: one object, one encoding. */
  end(): void {
    if (this.remaining > 0) throw this.malformed(`${this.remaining} bytes left over`)
  }
}
