/**
 * Where the next read of a file will be. Readahead starts at offset 0 or with the second sequential read: 1 MiB + 128 KiB, doubled
 * when the reader caught up with it, halved by `shrink`. Forward seeks of up to 16 MiB keep the cursor; two cursors a file.
 */
interface Cursor {
  /** Where the next read is expected. */
  next: number
  windowBytes: number
  /** End of what was asked for ahead. */
  aheadTo: number
  sequential: number
}

const FIRST_WINDOW_BYTES = 1_048_576 + 131_072
/** At 70 MB/s a quarter of a second: covers the round trip of any path, times several hosts. */
export const WINDOW_BYTES_MAX = 16 * 1_048_576
const SEEK_TOLERANCE_BYTES = 16 * 1_048_576
const CURSORS_PER_FILE = 2
const FILES_MAX = 1_024

export class Readahead {
  private readonly files = new Map<number, Cursor[]>()

  /** What to fetch ahead now that [offset, +size) is read; null for nothing. `starved`: the read had to wait for the network. */
  onRead(ino: number, offset: number, size: number): { offset: number; length: number } | null {
    const cursors = this.cursorsOf(ino)
    let cursor = cursors.find((one) => offset >= one.next - FIRST_WINDOW_BYTES && offset <= one.next + SEEK_TOLERANCE_BYTES)
    if (cursor === undefined) {
      cursor = { next: offset, windowBytes: FIRST_WINDOW_BYTES, aheadTo: offset + size, sequential: offset === 0 ? 1 : 0 }
      cursors.unshift(cursor)
      cursors.length = Math.min(cursors.length, CURSORS_PER_FILE)
    } else {
      cursor.sequential++
    }
    const end = offset + size
    cursor.next = Math.max(cursor.next, end)
    if (cursor.sequential < 1) return null
    if (cursor.aheadTo < end) cursor.aheadTo = end
    // Half a window is still ahead: nothing to do yet.
    if (cursor.aheadTo - end > cursor.windowBytes / 2) return null
    const from = cursor.aheadTo
    cursor.aheadTo = end + cursor.windowBytes
    return { offset: from, length: cursor.aheadTo - from }
  }

  /** The reader waited for bytes that were asked for ahead: the window is too small for this path. */
  starved(ino: number): void {
    for (const cursor of this.files.get(ino) ?? []) cursor.windowBytes = Math.min(WINDOW_BYTES_MAX, cursor.windowBytes * 2)
  }

  forget(ino: number): void {
    this.files.delete(ino)
  }

  private cursorsOf(ino: number): Cursor[] {
    let cursors = this.files.get(ino)
    if (cursors) this.files.delete(ino)
    else cursors = []
    this.files.set(ino, cursors)
    if (this.files.size > FILES_MAX) this.files.delete(this.files.keys().next().value as number)
    return cursors
  }
}
