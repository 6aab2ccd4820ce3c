/** Listing. Cookies are the ledger's: rising, never reused, so a listing goes on rightly while names come and go. */
import { AppError } from '../../base/errors.js'
import type { Attributes, DirectoryEntry } from '../fuse/filesystem.js'
import type { DirectoryPage, DirectoryRow, Inode } from '../metadata/types.js'
import { isDirectoryMode, ROOT_INO } from './inode-table.js'
import { Listings, PAGE_ROWS } from './listings.js'
import { NOTICE_COOKIE, NOTICE_INO, NOTICE_NAME } from './notice.js'
import type { VfsState } from './state.js'

const S_IFDIR = 0o040000
const DOT = Buffer.from('.')
const DOT_DOT = Buffer.from('..')
/** Cookie of the second; names come behind. */
const DOTS_END = 2
/** Attributes handed to the door and not yet taken: a page for each of a few listings at once. */
const LISTED_MAX = 16_384

export class Directories {
  private readonly state: VfsState
  /** What the root shows besides its own names. */
  private readonly noticed: () => Attributes | null
  private readonly listed = new Map<number, Inode>()
  private readonly listings: Listings

  constructor(state: VfsState, noticed: () => Attributes | null) {
    this.state = state
    this.noticed = noticed
    const { ledger } = state.parts
    this.listings = new Listings((directory, cookie, limit) => ledger.list(directory, cookie, limit, false))
  }

  async open(ino: number): Promise<{ fh: number }> {
    const entry = await this.state.entry(ino)
    const inode = entry?.inode ?? (await this.state.parts.ledger.attributes(ino))
    if (!isDirectoryMode(inode.mode)) throw new AppError('not-a-directory', 'not a directory')
    return { fh: this.state.open(inode, false) }
  }

  async read(ino: number, fh: number, offset: number, limit: number, plus: boolean): Promise<DirectoryEntry[]> {
    this.state.handle(fh, ino)
    const wanted = Math.max(1, Math.min(limit, PAGE_ROWS))
    // rewinddir: what is shown from now on is what is there now.
    if (offset < DOTS_END) this.listings.forget(fh)
    const page = await this.page(ino, fh, Math.max(offset, DOTS_END), wanted, plus)
    const entries: DirectoryEntry[] = []
    if (offset < 1) entries.push({ name: DOT, ino, mode: S_IFDIR, cookie: 1 })
    if (offset < 2) entries.push({ name: DOT_DOT, ino: page.parent, mode: S_IFDIR, cookie: 2 })
    for (const row of page.entries) entries.push(row.inode === undefined ? row : this.entry(row, row.inode))
    if (ino === ROOT_INO && page.end && offset < NOTICE_COOKIE) await this.addNotice(entries, plus)
    return entries
  }

  private async page(ino: number, fh: number, cookie: number, wanted: number, plus: boolean): Promise<DirectoryPage> {
    if (!plus) return this.listings.read(fh, ino, cookie, wanted)
    this.listings.forget(fh)
    const page = await this.state.parts.ledger.list(ino, cookie, wanted, true)
    // The kernel begins with attributes, and goes on with them only when it was asked for some.
    if (cookie === DOTS_END && !page.end) this.listings.follow(fh, ino, cookie, page)
    return page
  }

  close(fh: number): void {
    this.listings.forget(fh)
    this.state.close(fh)
  }

  private async addNotice(entries: DirectoryEntry[], plus: boolean): Promise<void> {
    const attributes = this.noticed()
    if (attributes === null || (await this.state.parts.ledger.lookup(ROOT_INO, NOTICE_NAME)) !== null) return
    const { ino, mode } = attributes
    entries.push({ name: NOTICE_NAME, ino, mode, cookie: NOTICE_COOKIE, ...(plus && { attributes }) })
  }

  /** The tree changed behind. */
  changedBehind(): void {
    this.listings.forgetAll()
  }

  /** The door took an entry with attributes: the kernel knows the inode from now on. */
  remember(ino: number): void {
    if (ino === NOTICE_INO) return
    const inode = this.listed.get(ino) ?? this.state.table.get(ino)?.inode
    if (inode === undefined) throw new AppError('stale', 'an inode is remembered that was not listed')
    const entry = this.state.table.get(ino)
    // What the table knows came later than the listing, or is the same.
    if (entry === undefined) this.state.table.look(inode)
    else entry.lookups++
  }

  private entry({ name, ino, mode, cookie }: DirectoryRow, inode: Inode): DirectoryEntry {
    const known = this.state.table.get(ino)
    if (known !== undefined) this.state.table.learn(inode)
    else this.list(inode)
    return { name, ino, mode, cookie, attributes: known?.inode ?? inode }
  }

  private list(inode: Inode): void {
    this.listed.delete(inode.ino)
    this.listed.set(inode.ino, inode)
    if (this.listed.size <= LISTED_MAX) return
    const oldest = this.listed.keys().next().value
    if (oldest !== undefined) this.listed.delete(oldest)
  }
}
