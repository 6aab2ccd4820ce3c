/**
 * Requests as the kernel writes them, laid out by hand from linux/fuse.h and not with the door's own offsets, and a
 * kernel's ear for the replies. Bytes around a request are poisoned: what is read outside of it shows.
 */
import { RequestBytes } from '../../src/mount/fuse/request-bytes.js'

const HEADER = 40

export const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)))
  return bytes
}
export const text = (value: string): Buffer => Buffer.from(`${value}\0`, 'latin1')
export const body = (...parts: Buffer[]): Buffer => Buffer.concat(parts)

export interface Sent {
  readonly opcode: number
  readonly ino?: number
  readonly unique?: number
  readonly body?: Buffer
}

export function kernelRequest(sent: Sent): Buffer {
  const content = sent.body ?? Buffer.alloc(0)
  const ids = [u32(1000), u32(1001), u32(4242), u32(0)]
  const head = [u32(HEADER + content.length), u32(sent.opcode), u64(sent.unique ?? 2), u64(sent.ino ?? 1), ...ids]
  return Buffer.concat([...head, content])
}

export function received(bytes: Buffer, poison = 0xaa): RequestBytes {
  const memory = new ArrayBuffer(bytes.length + 4096)
  Buffer.from(memory).fill(poison)
  const request = new RequestBytes(memory, 0, memory.byteLength)
  bytes.copy(request.bytes)
  request.length = bytes.length
  return request
}

export interface Heard {
  readonly unique: number
  /** 0 or a positive errno. */
  readonly errno: number
  readonly body: Buffer
}

/** A ReplyPort that takes whole replies apart. */
export class KernelEar {
  readonly heard: Heard[] = []
  /** Answer every send with this errno instead of hearing it. */
  deaf = 0
  readonly out: ArrayBuffer

  constructor(size = 256 * 1024 + 4096) {
    this.out = new ArrayBuffer(size)
  }

  send(length: number): number {
    return this.sendWith(length, [])
  }

  sendWith(length: number, buffers: readonly Uint8Array[]): number {
    if (this.deaf !== 0) return this.deaf
    const whole = Buffer.concat([Buffer.from(this.out, 0, length), ...buffers])
    if (whole.readUInt32LE(0) !== whole.length) return 22
    const errno = 0 - whole.readInt32LE(4)
    this.heard.push({ unique: Number(whole.readBigUInt64LE(8)), errno, body: whole.subarray(16) })
    return 0
  }

  /** The only reply since the last call. */
  take(): Heard {
    const [first, ...others] = this.heard.splice(0)
    if (first === undefined || others.length > 0)
      throw new Error(`${others.length + (first ? 1 : 0)} replies, expected 1`)
    return first
  }
}
