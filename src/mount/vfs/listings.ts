/**
 * Listings under way: names are fetched ahead, while the kernel still takes the ones before, and what it had no room for is kept for its next
 * question. Only names and types go this way, no attributes: what the kernel is told of an inode is never older than its question.
 *
 * A name that goes meanwhile may be shown, one that comes may not, as POSIX has it. Cookies rise, so each name is shown once; who goes back
 * behind the last question (rewinddir, seekdir) or leaps begins anew.
 */
import type { DirectoryPage, DirectoryRow } from '../metadata/types.js'

/** Names of a directory behind a cookie. */
export type FetchNames = (directory: number, cookie: number, limit: number) => Promise<DirectoryPage>

/** One page of the ledger: half a millisecond of its thread. */
export const PAGE_ROWS = 1_000
/** Directories that are being listed at a time, each with at most four pages (some 150 KB a page). The oldest is forgotten, and goes on
 *  without what was fetched ahead. */
const LISTINGS_MAX = 32

interface Listing {
  readonly directory: number
  readonly parent: number
  /** All names behind this cookie, without a gap. */
  readonly from: number
  readonly rows: readonly DirectoryRow[]
  /** Nothing lies behind them. */
  readonly end: boolean
  /** What lies behind them, on its way. */
  readonly next: Promise<DirectoryPage> | null
}

export class Listings {
  private readonly fetch: FetchNames
  private readonly byHandle = new Map<number, Listing>()

  constructor(fetch: FetchNames) {
    this.fetch = fetch
  }

  /** At most `limit` (1,000) names behind `cookie`: fewer only where the directory ends. */
  async read(fh: number, directory: number, cookie: number, limit: number): Promise<DirectoryPage> {
    const kept = this.take(fh, cookie)
    const listing = kept === null ? await this.begin(directory, cookie) : await this.fill(kept, limit)
    this.keep(fh, listing, limit)
    const { rows, end, parent } = listing
    return { entries: rows.slice(0, limit), end: end && rows.length <= limit, parent }
  }

  /** A page that was read with attributes: mostly the first of several, the others without. */
  follow(fh: number, directory: number, cookie: number, page: DirectoryPage): void {
    const rows = page.entries.map(({ name, ino, mode, cookie }) => ({ name, ino, mode, cookie, inode: undefined }))
    this.keep(fh, { directory, from: cookie, rows, end: page.end, parent: page.parent, next: null }, rows.length)
  }

  forget(fh: number): void {
    this.byHandle.delete(fh)
  }

  forgetAll(): void {
    this.byHandle.clear()
  }

  private take(fh: number, cookie: number): Listing | null {
    const kept = this.byHandle.get(fh)
    this.byHandle.delete(fh)
    if (kept === undefined || cookie < kept.from || cookie > endOf(kept)) return null
    const first = kept.rows.findIndex((row) => row.cookie > cookie)
    return { ...kept, from: cookie, rows: first < 0 ? [] : kept.rows.slice(first) }
  }

  private async begin(directory: number, cookie: number): Promise<Listing> {
    const page = await this.fetch(directory, cookie, PAGE_ROWS)
    return { directory, from: cookie, rows: page.entries, end: page.end, parent: page.parent, next: null }
  }

  private async fill(listing: Listing, limit: number): Promise<Listing> {
    const { rows, end, next } = listing
    if (end || rows.length >= limit) return listing
    const ask = () => this.fetch(listing.directory, endOf(listing), PAGE_ROWS)
    // What failed was asked by nobody.
    const page = await (next?.catch(ask) ?? ask())
    return { ...listing, rows: [...rows, ...page.entries], end: page.end, next: null }
  }

  /** `taken`: as many as the kernel takes at most, so what is left should be enough for the next time. */
  private keep(fh: number, listing: Listing, taken: number): void {
    if (listing.end && listing.rows.length === 0) return
    let { next } = listing
    if (next === null && !listing.end && listing.rows.length < 2 * taken) {
      next = this.fetch(listing.directory, endOf(listing), PAGE_ROWS)
      next.catch(() => undefined)
    }
    this.byHandle.set(fh, { ...listing, next })
    if (this.byHandle.size <= LISTINGS_MAX) return
    const oldest = this.byHandle.keys().next().value
    if (oldest !== undefined) this.byHandle.delete(oldest)
  }
}

function endOf({ rows, from }: Listing): number {
  return rows.at(-1)?.cookie ?? from
}
