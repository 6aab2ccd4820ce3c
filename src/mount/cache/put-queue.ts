/**
 * Units on their way to the cache's thread, copied into chunks of 1 MiB. The thread gives the memory back, so a steady
 * stream costs one copy and no fresh pages; when it is behind there is no chunk to be had, and units are dropped.
 */
import type { SegmentId } from '../../model/ids.js'
import type { ChunkEntry } from './messages.js'

/** 16 units: one transaction of the cache, under 1 ms. */
export const CHUNK_BYTES = 1_048_576
/** 32 MiB on their way at most. */
export const CHUNKS_MAX = 32
/** Kept for the next burst. */
const SPARE_MAX = 4
/** Lone units wait so long for company. */
const LINGER_MS = 100

export class PutQueue {
  /** Units left out. */
  dropped = 0
  private readonly send: (chunk: ArrayBuffer, entries: readonly ChunkEntry[]) => void
  private readonly spare: ArrayBuffer[] = []
  private away = 0
  private open: { chunk: ArrayBuffer; used: number; entries: ChunkEntry[] } | null = null
  private timer: NodeJS.Timeout | undefined

  constructor(send: (chunk: ArrayBuffer, entries: readonly ChunkEntry[]) => void) {
    this.send = send
  }

  /** At most CHUNK_BYTES. */
  add(segment: SegmentId, unit: number, bytes: Uint8Array): void {
    if (this.open !== null && this.open.used + bytes.length > CHUNK_BYTES) this.flush()
    if (this.open === null && !this.start()) {
      this.dropped++
      return
    }
    const open = this.open as NonNullable<typeof this.open>
    new Uint8Array(open.chunk, open.used, bytes.length).set(bytes)
    open.entries.push([segment, unit, bytes.length])
    open.used += bytes.length
    if (open.used === CHUNK_BYTES) this.flush()
  }

  /** A copy of a unit that has not left yet. */
  find(segment: SegmentId, unit: number): Buffer | null {
    let at = 0
    for (const [entrySegment, entryUnit, length] of this.open?.entries ?? []) {
      if (entryUnit === unit && entrySegment === segment) {
        return Buffer.copyBytesFrom(new Uint8Array((this.open as { chunk: ArrayBuffer }).chunk, at, length))
      }
      at += length
    }
    return null
  }

  flush(): void {
    clearTimeout(this.timer)
    const { open } = this
    this.open = null
    if (open === null) return
    this.away++
    this.send(open.chunk, open.entries)
  }

  giveBack(chunk: ArrayBuffer): void {
    this.away--
    if (this.spare.length < SPARE_MAX) this.spare.push(chunk)
  }

  clear(): void {
    clearTimeout(this.timer)
    this.open = null
    this.spare.length = 0
  }

  private start(): boolean {
    if (this.away >= CHUNKS_MAX) return false
    this.open = { chunk: this.spare.pop() ?? new ArrayBuffer(CHUNK_BYTES), used: 0, entries: [] }
    this.timer = setTimeout(() => this.flush(), LINGER_MS).unref()
    return true
  }
}
