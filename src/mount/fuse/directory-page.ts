/** Packs directory entries into a READDIR or READDIRPLUS reply: as many as fit into what the kernel has room for. */
import type { Attributes, DirectoryEntry } from './filesystem.js'
import * as at from './offsets.js'
import type { ReplyBytes } from './reply-bytes.js'

const BODY = at.OUT_HEADER.size
const DOT = 0x2e
/** The type field of a directory entry: the S_IFMT bits of a mode, shifted. */
const typeOf = (mode: number): number => (mode >>> 12) & 0o17

/** The most entries that can fit into `size` bytes: names of one byte. */
export function entriesMax(size: number, plus: boolean): number {
  return Math.ceil(size / (at.paddedDirentSize(1) + (plus ? at.ENTRY_OUT.size : 0)))
}

/**
 * Returns the size of the body. `counted` is called for each entry whose attributes went to the kernel and which it
 * therefore counts as looked up: all with attributes, except '.' and '..'.
 */
export function packDirectory(
  out: ReplyBytes,
  entries: Iterable<DirectoryEntry>,
  size: number,
  plus: boolean,
  counted: (ino: number) => void,
): number {
  const room = Math.min(size, out.room)
  let used = 0
  for (const entry of entries) {
    const direntSize = at.paddedDirentSize(entry.name.length)
    const whole = plus ? at.ENTRY_OUT.size + direntSize : direntSize
    if (used + whole > room) break
    let start = BODY + used
    if (plus) {
      const attributes = isDots(entry.name) ? undefined : entry.attributes
      start += packAttributes(out, start, attributes)
      if (attributes !== undefined) counted(attributes.ino)
    }
    out.u64(start + at.DIRENT.ino, entry.ino)
    out.u64(start + at.DIRENT.offset, entry.cookie)
    out.u32(start + at.DIRENT.nameLength, entry.name.length)
    out.u32(start + at.DIRENT.type, typeOf(entry.mode))
    entry.name.copy(out.bytes, start + at.DIRENT.name)
    out.bytes.fill(0, start + at.DIRENT.name + entry.name.length, start + direntSize)
    used += whole
  }
  return used
}

function packAttributes(out: ReplyBytes, offset: number, attributes: Attributes | undefined): number {
  return attributes === undefined ? out.noEntry(offset, 0) : out.entry(offset, attributes)
}

function isDots(name: Buffer): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))
}
