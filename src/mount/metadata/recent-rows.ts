/**
 * Plain bytes of staged rows that were written or read lately, so that a reader who goes through a row in small steps opens it once.
 * Readers of what was just written are the kernel's page cache's business, and publishing reads a row once: it needs little.
 */

/** Rows of the two files that somebody reads while they are stored, and what a group leaves. */
const BYTES_MAX = 16 * 1024 * 1024

export class RecentRows {
  private readonly rows = new Map<number, Buffer>()
  private readonly release: (bytes: Buffer) => void
  private bytes = 0

  /** `release`: these bytes, in memory of their own, are not needed any more. */
  constructor(release: (bytes: Buffer) => void) {
    this.release = release
  }

  get(id: number): Buffer | undefined {
    return this.rows.get(id)
  }

  /** Takes the bytes over: nobody else may hold them. */
  put(id: number, bytes: Buffer): void {
    this.drop(id)
    this.rows.set(id, bytes)
    this.bytes += bytes.buffer.byteLength
    for (const oldest of this.rows.keys()) {
      if (this.bytes <= BYTES_MAX) return
      this.drop(oldest)
    }
  }

  /** The bytes are the caller's from now on. */
  take(id: number): Buffer | undefined {
    const bytes = this.rows.get(id)
    if (bytes === undefined) return undefined
    this.rows.delete(id)
    this.bytes -= bytes.buffer.byteLength
    return bytes
  }

  drop(id: number): void {
    const bytes = this.take(id)
    if (bytes !== undefined) this.release(bytes)
  }

  dropUpTo(id: number): void {
    for (const one of [...this.rows.keys()]) if (one <= id) this.drop(one)
  }
}
