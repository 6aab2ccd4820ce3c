/**
 * Memory for incoming bodies, used again when its receiver gives it back. Bodies that live for a while and then die are what
 * makes V8 look through its whole heap (a cycle for each 64 MiB): a fifth of the CPU time of a stream before there was this.
 * Giving back is voluntary: what is not given back is garbage like any other.
 */
const STEP_BYTES = 65_536
/** Kept for the next ones, all sizes together: eight whole shards. */
const SPARE_BYTES_MAX = 16 * 1_048_576

export class BodyPool {
  private readonly spare = new Map<number, ArrayBuffer[]>()
  private spareBytes = 0
  /** Memory that left here and did not come back: only that is taken, and once. */
  private readonly away = new WeakSet<ArrayBufferLike>()

  /** Holds anything: the caller fills all of it. */
  take(length: number): Buffer {
    if (length < STEP_BYTES) return Buffer.allocUnsafeSlow(length)
    const room = Math.ceil(length / STEP_BYTES) * STEP_BYTES
    const memory = this.spare.get(room)?.pop()
    if (memory !== undefined) this.spareBytes -= room
    const bytes = memory === undefined ? Buffer.allocUnsafeSlow(room) : Buffer.from(memory)
    this.away.add(bytes.buffer)
    return bytes.subarray(0, length)
  }

  /** Nobody looks at these bytes any more. Bytes of any other origin are left alone. */
  giveBack({ buffer }: Buffer): void {
    if (!this.away.delete(buffer) || this.spareBytes + buffer.byteLength > SPARE_BYTES_MAX) return
    this.spareBytes += buffer.byteLength
    const spare = this.spare.get(buffer.byteLength)
    if (spare === undefined) this.spare.set(buffer.byteLength, [buffer as ArrayBuffer])
    else spare.push(buffer as ArrayBuffer)
  }
}
