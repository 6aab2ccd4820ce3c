/**
 * Garbage collection by exact comparison: what lies on a host against what the books say, part by part. Digests find the
 * parts that differ (permits/inventory-item.ts), lists what differs in them.
 *
 * On the host and in no book: a deletion order; the host refuses what is younger than 72 h and keeps the rest in its trash.
 * In the books and not on the host: an audit, never a verdict here, unless the host itself says that its copy is damaged.
 * In the books and in the host's trash: taken back. Placements come and go while a round runs, so whatever a list says is
 * looked up again in the books of that moment before anything is done.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { HostId } from '../../model/ids.js'
import {
  combineInventory,
  INVENTORY_HASH_BYTES,
  inventoryItemHash,
  type PrefixRange,
  partIndexOf,
  partOf,
  prefixOf,
} from '../../permits/inventory-item.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { verifyReceipt } from '../../permits/receipt.js'
import { INVENTORY_PARTS_MAX, type InventoryDigest, type InventoryEntry } from '../../wire/inventory-methods.js'
import type { AuditRequests } from '../audits/requests.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import type { BookEntry } from '../persist/book-rows.js'
import type { ShardForget } from '../persist/segment-rows.js'
import type { Store } from '../persist/store.js'
import { type Inventory, WHOLE } from './inventory.js'
import type { HostRegistry, KnownHost } from './registry.js'

export interface GarbageCollectorParts {
  store: Store
  hosts: HostRegistry
  inventory: Inventory
  tokens: TokenIssuer
  clock: Clock
  log: Log
  isFrozen: () => boolean
  /** A shard that should be there and is not: the host is asked for it. */
  requests: AuditRequests
}

/** What a round found and did. */
export interface Collected {
  /** On the host and in no book: deletion orders that are new. */
  unknown: number
  /** In the books and not on the host: audits asked for. */
  missing: number
  /** Damaged by the host's own word. */
  lost: number
  /** Taken back out of its trash. */
  restored: number
}

/** Books read without a pause. */
const PAGE = 1_000
/** Parts with more shards than this are divided again before they are listed. */
const LISTED_MAX = 4_000
/** Places of a listed part that are remembered: more would be one shard id placed a hundred thousand times, or a host without end. */
const PART_ENTRIES_MAX = 100_000

export class GarbageCollector {
  private readonly parts: GarbageCollectorParts
  private readonly rounds = new Map<HostId, Promise<Collected | null>>()

  constructor(parts: GarbageCollectorParts) {
    this.parts = parts
  }

  /** One round with a host; null when it is not there, or nothing may be touched. A round that runs is joined. */
  round(host: HostId, signal: AbortSignal): Promise<Collected | null> {
    const running = this.rounds.get(host)
    if (running !== undefined) return running
    const round = this.run(host, signal).finally(() => this.rounds.delete(host))
    this.rounds.set(host, round)
    return round
  }

  private async run(id: HostId, signal: AbortSignal): Promise<Collected | null> {
    const { store, hosts, clock, log, isFrozen } = this.parts
    const host = hosts.get(id)
    if (host === undefined || !host.online || isFrozen()) return null
    const found: Collected = { unknown: 0, missing: 0, lost: 0, restored: 0 }
    const round = { host, found, signal, startedMs: clock.nowMs() }
    await this.compare(round, WHOLE)
    await store.presences.saveCollected(host.row, clock.nowMs())
    if (found.unknown + found.missing + found.lost + found.restored > 0) {
      log.warn({ host: id, ...found }, 'a host did not hold what the books say')
    }
    return found
  }

  private async compare(round: Round, range: PrefixRange): Promise<void> {
    const { host, signal } = round
    const parts = Math.min(INVENTORY_PARTS_MAX, range.to - range.from)
    const theirs = await this.parts.inventory.digests(host.host, range, parts, signal)
    const ours = await this.digests(host, range, parts, signal)
    for (const [at, one] of theirs.entries()) {
      signal.throwIfAborted()
      const own = ours[at] as InventoryDigest
      if (one.count === own.count && one.digest.equals(own.digest)) continue
      const part = partOf(range, parts, at)
      const isLarge = Math.max(one.count, own.count) > LISTED_MAX && part.to - part.from > 1
      if (isLarge) await this.compare(round, part)
      else await this.compareAll(round, part)
    }
  }

  /** As the host counts them: stored, by the placement that counts. */
  private async digests(host: KnownHost, range: PrefixRange, parts: number, signal: AbortSignal) {
    const sums = Array.from({ length: parts }, () => ({ count: 0, digest: Buffer.alloc(INVENTORY_HASH_BYTES) }))
    for await (const page of this.books(host, range)) {
      signal.throwIfAborted()
      for (const one of page) {
        const sum = sums[partIndexOf(range, parts, prefixOf(one.shard))]
        if (!one.stored || sum === undefined) continue
        sum.count++
        combineInventory(sum.digest, inventoryItemHash({ ...one, pseudonym: pseudonymOf(one.drive, host.host) }))
      }
    }
    return sums
  }

  private async *books(host: KnownHost, range: PrefixRange): AsyncGenerator<BookEntry[]> {
    let after: BookEntry | null = null
    for (;;) {
      const page: BookEntry[] = await this.parts.store.books.list(host.row, range, after, PAGE)
      yield page
      if (page.length < PAGE) return
      after = page[PAGE - 1] as BookEntry
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  private async compareAll(round: Round, range: PrefixRange): Promise<void> {
    const seen = new Set<string>()
    for await (const page of this.parts.inventory.entries(round.host.host, range, round.signal)) {
      const unknown: ShardForget[] = []
      for (const entry of page) {
        seen.add(nameOf(entry))
        await this.compareOne(round, entry, unknown)
      }
      round.found.unknown += await this.parts.store.books.saveUnknown(unknown, this.parts.clock.nowMs())
      if (seen.size <= PART_ENTRIES_MAX) continue
      this.parts.log.error({ host: round.host.host, ...range }, 'a host lists too much to be compared')
      return
    }
    for await (const page of this.books(round.host, range)) {
      for (const one of page) if (one.stored && !seen.has(this.nameOfBook(round, one))) await this.miss(round, one)
    }
  }

  private nameOfBook({ host }: Round, one: BookEntry): string {
    return nameOf({ ...one, pseudonym: pseudonymOf(one.drive, host.host) })
  }

  private async compareOne(round: Round, entry: InventoryEntry, unknown: ShardForget[]): Promise<void> {
    const { host } = round
    const placed = (await this.parts.store.books.of(host.row, entry.shard)).filter(
      (one) => this.nameOfBook(round, one) === nameOf(entry),
    )
    const book = placed.find((one) => !one.moving)
    if (placed.length === 0) {
      if (entry.state !== 'trash') unknown.push({ ...entry, hostRow: host.row })
      return
    }
    if (book === undefined || !(book.stored || book.lost)) return
    if (entry.state === 'trash') await this.restore(round, book)
    else if (!book.stored) return
    else if (entry.state === 'damaged') await this.lose(round, book)
    else if (entry.generation !== book.generation && !placed.some((one) => one.generation === entry.generation)) {
      await this.ask(round, book)
    }
  }

  private async ask({ host }: Round, { segmentRow, index, generation }: BookEntry): Promise<void> {
    await this.parts.requests.ask(host.row, [{ segmentRow, index, generation }], 'inventory')
  }

  private async lose(round: Round, book: BookEntry): Promise<void> {
    const lost = { index: book.index, hostRow: round.host.row, generation: book.generation }
    if (await this.parts.store.segments.saveLost(book.segmentRow, lost)) round.found.lost++
  }

  /** Deleted by mistake, or by a bridge that remembers less: as long as the host has it, it costs no byte to have it back. */
  private async restore(round: Round, book: BookEntry): Promise<void> {
    const { store, tokens, inventory, clock, log } = this.parts
    const { host, signal } = round
    const { segment, index, shard, generation, length, segmentRow, drive } = book
    const token = tokens.put(tokens.bridge, drive, host.host, { segment, index, shard }, { length, generation })
    try {
      const receipt = await inventory.restore(host.host, token, signal)
      const pseudonym = pseudonymOf(drive, host.host)
      const fields = verifyReceipt(receipt, { host: host.host, index, segment, shard, length, pseudonym })
      if (fields.generation !== generation) throw new AppError('receipt-mismatch', 'another generation')
      if (book.lost)
        await store.books.saveFound(segmentRow, { index, hostRow: host.row, generation }, receipt, clock.nowMs())
      round.found.restored++
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AppError)) throw error
      log.warn({ host: host.host, segment, code: error.code }, 'a shard could not be had back from the trash')
      if (book.stored) await this.ask(round, book)
    }
  }

  /** As the books stand now, and only what was there before the round began. */
  private async miss(round: Round, book: BookEntry): Promise<void> {
    if (book.storedAt >= round.startedMs) return
    const now = await this.parts.store.books.of(round.host.row, book.shard)
    const still = now.find((one) => one.segmentRow === book.segmentRow && one.index === book.index && !one.moving)
    if (still === undefined || !still.stored || still.generation !== book.generation) return
    round.found.missing++
    await this.ask(round, book)
  }
}

interface Round {
  host: KnownHost
  found: Collected
  startedMs: number
  signal: AbortSignal
}

function nameOf(one: { pseudonym: string; segment: string; index: number; shard: string }): string {
  return `${one.pseudonym} ${one.segment} ${one.index} ${one.shard}`
}
