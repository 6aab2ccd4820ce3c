/**
 * Where the next read of a file will be. Readahead starts at offset 0 or with the second sequential read: 1 MiB + 128 KiB,
 * doubled when the reader has caught up with it, halved when memory runs short. Forward seeks of up to 16 MiB keep the
 * cursor; two cursors a file.
 */
export interface Cursor {
  /** Where the next read is expected. */
  next: number
  windowBytes: number
  /** End of what was asked for ahead. */
  aheadTo: number
  /** Reads in order so far. */
  inOrder: number
  /** A reader that waits before this place waits for an earlier, smaller window. */
  grownTo: number
}

export interface Ahead {
  offset: number
  length: number
}

export const FIRST_WINDOW_BYTES = 1_048_576 + 131_072
/** At 70 MB/s a quarter of a second: covers the round trip of any path, times several hosts. */
export const WINDOW_BYTES_MAX = 16 * 1_048_576
/** Two units: less ahead would not keep two hosts busy. */
export const WINDOW_BYTES_MIN = 131_072
export const SEEK_TOLERANCE_BYTES = 16 * 1_048_576
/** Reads that the kernel sends side by side arrive in any order: so far from where it was expected, a read is in order. */
const DISORDER_BYTES = 1_048_576
const CURSORS_PER_FILE = 2
const FILES_MAX = 1_024

export class Readahead {
  private readonly files = new Map<number, Cursor[]>()

  /** Call first: where [offset, +size) is read, and in what order. */
  onRead(ino: number, offset: number, size: number): Cursor {
    const cursors = this.cursorsOf(ino)
    const end = offset + size
    let cursor = nearest(cursors, offset)
    if (cursor === undefined) {
      const inOrder = offset === 0 ? 1 : 0
      cursor = { next: end, windowBytes: FIRST_WINDOW_BYTES, aheadTo: end, inOrder, grownTo: 0 }
    } else {
      const skipped = offset - cursor.next
      if (skipped > DISORDER_BYTES) {
        // Tolerated, but what lies between was fetched in vain.
        cursor.windowBytes = Math.max(FIRST_WINDOW_BYTES, cursor.windowBytes / 2)
      } else {
        cursor.inOrder++
      }
      cursor.next = Math.max(cursor.next, end)
      cursors.splice(cursors.indexOf(cursor), 1)
    }
    cursor.aheadTo = Math.max(cursor.aheadTo, end)
    cursors.unshift(cursor)
    cursors.length = Math.min(cursors.length, CURSORS_PER_FILE)
    return cursor
  }

  /** What to fetch ahead now; null for nothing yet. Counts as asked for. */
  next(cursor: Cursor): Ahead | null {
    if (cursor.inOrder < 1) return null
    const { next, aheadTo, windowBytes } = cursor
    // Half a window is still ahead: larger steps keep more hosts busy with fewer requests.
    if (aheadTo - next > windowBytes / 2) return null
    cursor.aheadTo = next + windowBytes
    return { offset: aheadTo, length: cursor.aheadTo - aheadTo }
  }

  /** It could not be started: the next read tries again. */
  undo(cursor: Cursor, ahead: Ahead): void {
    cursor.aheadTo = Math.min(cursor.aheadTo, ahead.offset)
  }

  /** A read in order waited: the window is too small for this path. Once for each window. */
  starved(cursor: Cursor, offset: number): void {
    if (cursor.inOrder < 2 || offset < cursor.grownTo) return
    cursor.windowBytes = Math.min(WINDOW_BYTES_MAX, cursor.windowBytes * 2)
    cursor.grownTo = cursor.aheadTo
  }

  /** Memory ran short: what is fetched ahead is thrown away before it is read. */
  shrink(): void {
    for (const cursors of this.files.values()) {
      for (const cursor of cursors) cursor.windowBytes = Math.max(WINDOW_BYTES_MIN, cursor.windowBytes / 2)
    }
  }

  forget(ino: number): void {
    this.files.delete(ino)
  }

  private cursorsOf(ino: number): Cursor[] {
    const cursors = this.files.get(ino) ?? []
    // The files that were read last stand last.
    this.files.delete(ino)
    this.files.set(ino, cursors)
    if (this.files.size > FILES_MAX) this.files.delete(this.files.keys().next().value as number)
    return cursors
  }
}

/** The cursor that this read continues, if any. */
function nearest(cursors: readonly Cursor[], offset: number): Cursor | undefined {
  let found: Cursor | undefined
  for (const cursor of cursors) {
    const distance = offset - cursor.next
    if (distance < -DISORDER_BYTES || distance > SEEK_TOLERANCE_BYTES) continue
    if (found === undefined || Math.abs(distance) < Math.abs(offset - found.next)) found = cursor
  }
  return found
}
