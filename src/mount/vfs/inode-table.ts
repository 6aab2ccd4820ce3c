/**
 * Inodes that the kernel knows or holds open. Keeps their attributes (the ledger's last word plus writes on their way to
 * it), counts lookups and handles, and ends orphans when nobody holds them any more.
 *
 * Attributes of one inode come from three places: answers of the ledger, writes that are acknowledged and not yet answered
 * (`pending`), and changes of size that are on their way (`resizing`: writes wait).
 *
 * Answers are given in the order of calls, but those who wait for them wake in an order of their own: one may bring
 * what was true before a write whose answer is here already. `asOf` tells, and what is older is left aside: a size that
 * went back would end reads too early and put an append over the end of the file.
 */
import type { Inode } from '../metadata/types.js'

export const ROOT_INO = 1
export interface Entry {
  inode: Inode
  /** What the ledger says as of before this is not believed any more. */
  asOf: number
  /** Kernel lookups. */
  lookups: number
  handles: number
  /** Writes acknowledged, not yet answered by the ledger. */
  pending: number
  /** `inode` is exact in every field. Not so while writes are pending: allocated blocks are the ledger's to say. */
  fresh: boolean
  /** A change of size is on its way. */
  resizing: Promise<void> | null
  /** Names of extended attributes; null: not asked yet. */
  xattrs: ReadonlySet<string> | null
  /** A write that the ledger refused after it was acknowledged: told at the next fsync or write. */
  failure: Error | null
}

export const NO_XATTRS: ReadonlySet<string> = new Set()
const S_IFMT = 0o170000
const S_IFDIR = 0o040000

export class InodeTable {
  private readonly entries = new Map<number, Entry>()
  private readonly reap: (inos: number[]) => void
  private reaping: number[] = []

  /** `reap` gets orphans that nobody holds, those of one turn together. */
  constructor(reap: (inos: number[]) => void) {
    this.reap = reap
  }

  get size(): number {
    return this.entries.size
  }

  get(ino: number): Entry | undefined {
    return this.entries.get(ino)
  }

  /** Counts a lookup. */
  look(inode: Inode): Entry {
    const entry = this.entryOf(inode)
    entry.lookups++
    return entry
  }

  /** `inode` is what is known of it now, or the ledger's answer a moment ago. */
  hold(inode: Inode): Entry {
    const entry = this.entries.get(inode.ino) ?? this.entryOf(inode)
    entry.handles++
    return entry
  }

  forget(ino: number, count: number): void {
    const entry = this.entries.get(ino)
    if (entry === undefined) return
    entry.lookups = Math.max(0, entry.lookups - count)
    this.dropUnheld(ino, entry)
  }

  release(ino: number): void {
    const entry = this.entries.get(ino)
    if (entry === undefined) return
    entry.handles--
    this.dropUnheld(ino, entry)
  }

  /** The ledger's answer to a call about an inode. */
  learn(inode: Inode): void {
    const entry = this.entries.get(inode.ino)
    if (entry === undefined) {
      if (inode.nlink === 0) this.queueReap(inode.ino)
      return
    }
    this.merge(entry, inode)
    if (entry.lookups === 0 && entry.handles === 0) this.dropUnheld(inode.ino, entry)
  }

  /** A write was acknowledged: what stat shows from now on. */
  wrote(entry: Entry, end: number, time: Inode['mtime']): void {
    const { inode } = entry
    entry.inode = { ...inode, size: Math.max(inode.size, end), mtime: time, ctime: time }
    entry.pending++
    entry.fresh = false
    forgetCapability(entry)
  }

  /** The ledger answered some of the pending writes. */
  written(ino: number, writes: number, result: Inode | Error): void {
    const entry = this.entries.get(ino)
    if (entry === undefined) return
    entry.pending = Math.max(0, entry.pending - writes)
    if (result instanceof Error) {
      entry.failure = result
      entry.fresh = false
    } else {
      this.merge(entry, result)
    }
  }

  /** Something changed behind our back; answers as of `asOf` know of it. */
  stale(ino: number, asOf: number): void {
    const entry = this.entries.get(ino)
    if (entry === undefined) return
    entry.asOf = Math.max(entry.asOf, asOf)
    entry.fresh = false
    entry.xattrs = null
  }

  private merge(entry: Entry, inode: Inode): void {
    if (inode.asOf < entry.asOf) return
    entry.asOf = inode.asOf
    if (entry.pending === 0) {
      entry.inode = inode
      entry.fresh = true
      return
    }
    // Older than the writes that are pending: they cannot shrink a file, and set both times.
    const { size, mtime, ctime } = entry.inode
    entry.inode = { ...inode, size: Math.max(size, inode.size), mtime, ctime }
  }

  private entryOf(inode: Inode): Entry {
    const known = this.entries.get(inode.ino)
    if (known !== undefined) {
      this.merge(known, inode)
      return known
    }
    const state = { lookups: 0, handles: 0, pending: 0, fresh: true, resizing: null, xattrs: null, failure: null }
    const entry: Entry = { inode, asOf: inode.asOf, ...state }
    this.entries.set(inode.ino, entry)
    return entry
  }

  private dropUnheld(ino: number, entry: Entry): void {
    if (entry.lookups > 0 || entry.handles > 0) return
    this.entries.delete(ino)
    if (entry.inode.nlink === 0) this.queueReap(ino)
  }

  private queueReap(ino: number): void {
    if (this.reaping.length === 0) {
      queueMicrotask(() => {
        const inos = this.reaping
        this.reaping = []
        this.reap(inos)
      })
    }
    this.reaping.push(ino)
  }
}

/** Goes with every write, truncation and change of owner. */
export function forgetCapability(entry: Entry): void {
  if (entry.xattrs?.has('security.capability')) entry.xattrs = null
}

export function isDirectoryMode(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR
}
