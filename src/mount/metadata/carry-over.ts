/**
 * What only a damaged ledger knew, carried into the one that was built again from the chain: its operations that no epoch had
 * published are done again, in their order, in one transaction, as far as they can be read.
 *
 * Bytes that cannot be read any more are never made up: a file that the chain knows keeps the bytes that are stored, whatever
 * was written to it since; a file that was new becomes `NAME (damaged)`, with zeros where its bytes are lost, and what
 * it had replaced stays as `NAME (stored)`. All of them are told by path.
 */
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { FileId } from '../../model/ids.js'
import { apply } from './apply.js'
import { CARRIED_KEY, type CarriedOver, type CarryPlan, encodeCarried, type LostFile } from './carried.js'
import { expectNoLocalChanges } from './chain.js'
import { cutInside } from './epochs.js'
import { putMeta } from './facts.js'
import { isDirectory, type Node } from './inodes.js'
import type { OldLedger } from './old-ledger.js'
import * as o from './operations.js'
import { pathsOf } from './paths-of.js'
import type { Tables } from './tables.js'

/** Staged bytes in memory between two flushes. */
const FLUSH_BYTES = 16 * 1_048_576
const FLUSH_OPERATIONS = 8_192
const LOST_FILES_TOLD = 1_000
const NAME_ROOM = 24

/** What of it is lost was found out by a first run. */
interface Losses {
  /** Operations from here on are left out. */
  readonly until: number
  /** Files of the chain that keep their stored bytes, with what they lose. */
  readonly kept: ReadonlyMap<FileId, number>
  /** New files with holes, with what they lose. */
  readonly holed: ReadonlyMap<FileId, number>
}

const NOTHING: Losses = { until: Number.MAX_SAFE_INTEGER, kept: new Map(), holed: new Map() }
/** Each run that fails knows more than the one before. */
const RUNS_MAX = 64

export function carryOver(t: Tables, old: OldLedger, plan: CarryPlan): CarriedOver {
  expectNoLocalChanges(t)
  let losses = NOTHING
  for (let runs = 0; runs < RUNS_MAX; runs++) {
    const run = new CarryRun(t, old, { losses, cuts: new Set(plan.cuts) })
    let next: Losses | null
    try {
      next = run.play(plan.from)
      if (next === null) return run.settle(plan)
    } catch (error) {
      run.abandon()
      throw error
    }
    run.abandon()
    losses = next
  }
  throw new AppError('chain-mismatch', 'what the damaged ledger says cannot be done on the tree of the chain')
}

class CarryRun {
  private readonly t: Tables
  private readonly old: OldLedger
  private readonly losses: Losses
  private readonly cuts: ReadonlySet<number>
  /** Of the old ledger -> here. */
  private readonly rows = new Map<number, number>()
  private readonly fresh = new Set<FileId>()
  private readonly replaced = new Set<FileId>()
  private operations = 0
  private bytes = 0
  private openBytes = 0
  private reached = 0

  constructor(t: Tables, old: OldLedger, { losses, cuts }: { losses: Losses; cuts: ReadonlySet<number> }) {
    this.t = t
    this.old = old
    this.losses = losses
    this.cuts = cuts
  }

  /** null: done, nothing more is lost than was known. Otherwise what a next run has to know. */
  play(from: number): Losses | null {
    const { database } = this.t
    database.commit()
    // It may be larger than memory.
    database.db.pragma('cache_spill = ON')
    database.db.exec('BEGIN IMMEDIATE')
    this.reached = from
    for (const { position, operation } of this.old.operations(from)) {
      if (position >= this.losses.until) break
      try {
        this.take(operation)
      } catch (error) {
        if (!isCode(error, 'chain-mismatch')) throw error
        return { ...this.losses, until: position }
      }
      this.reached = position
      if (this.cuts.has(position)) this.cut()
      else this.flushWhenFull()
    }
    this.flush()
    return this.lookForLosses()
  }

  settle({ last, mark }: CarryPlan): CarriedOver {
    const { t } = this
    const lostFiles = this.tellLosses()
    const counts = { operations: this.operations, bytes: this.bytes }
    const lostOperations = last === null ? null : Math.max(0, last - this.reached)
    const all = [...this.losses.kept.values(), ...this.losses.holed.values()]
    const lostBytes = all.reduce((sum, bytes) => sum + bytes, 0)
    const carried = { ...counts, lostOperations, lostBytes, lostFiles, lostFileCount: all.length }
    putMeta(t, CARRIED_KEY, encodeCarried(mark, carried))
    failpoint('mount.carry.written')
    t.database.settle()
    t.database.db.pragma('cache_spill = OFF')
    return carried
  }

  abandon(): void {
    this.t.database.abandon()
    this.t.database.db.pragma('cache_spill = OFF')
  }

  private take(operation: o.Operation): void {
    switch (operation.kind) {
      case o.KIND.stagedWrite:
        if (!this.losses.kept.has(operation.file)) this.perform({ ...operation, stagedId: this.rowOf(operation) })
        return
      case o.KIND.extent:
      case o.KIND.hole:
      case o.KIND.allocate:
        if (!this.losses.kept.has(operation.file)) this.perform(operation)
        return
      case o.KIND.attributes:
        this.perform(this.losses.kept.has(operation.file) ? { ...operation, size: undefined } : operation)
        return
      case o.KIND.make:
        this.fresh.add(operation.file)
        this.perform(operation)
        return
      case o.KIND.rename:
        this.keepReplaced(operation)
        this.perform(operation)
        return
      case o.KIND.reap:
        if (!this.replaced.has(operation.file)) this.perform(operation)
        return
      default:
        this.perform(operation)
    }
  }

  private perform(operation: o.Operation): void {
    apply(this.t, operation, this.t.log.append(operation), 0)
    this.operations++
  }

  /** A row that cannot be read gets a number and no bytes: where it shows in the end, bytes are lost. */
  private rowOf({ stagedId }: o.StagedWrite): number {
    const known = this.rows.get(stagedId)
    // What a cut has frozen cannot be named again: whose bytes they are was said there.
    if (known !== undefined && !this.t.staged.isFrozen(known)) return known
    const bytes = this.old.stagedRow(stagedId)
    const id = bytes === null ? this.t.counters.take('staged') : this.t.staged.append(bytes)
    this.bytes += bytes?.length ?? 0
    this.openBytes += bytes?.length ?? 0
    this.rows.set(stagedId, id)
    return id
  }

  /** A new file that lacks bytes does not take the place of one that is whole: that one stays beside it. */
  private keepReplaced({ parent, name, newParent, newName, exchange, time }: o.Rename): void {
    const moved = this.nodeAt(parent, name)
    const target = this.nodeAt(newParent, newName)
    if (exchange || moved === null || target === null || !this.losses.holed.has(moved.file)) return
    if (isDirectory(target) || target === moved || this.losses.holed.has(target.file)) return
    this.replaced.add(target.file)
    const kept = this.freeName(newParent, newName, 'stored')
    this.perform({ kind: o.KIND.rename, parent: newParent, name: newName, newParent, newName: kept, exchange, time })
  }

  private nodeAt(parent: FileId, name: Buffer): Node | null {
    const directory = this.t.inodes.byFileId(parent)
    const dentry = directory && this.t.dentries.get(directory.ino, name)
    return dentry ? this.t.inodes.get(dentry.ino) : null
  }

  private freeName(parent: FileId, name: Buffer, word: string): Buffer {
    for (let number = 1; ; number++) {
      const suffix = Buffer.from(number === 1 ? ` (${word})` : ` (${word} ${number})`)
      const free = Buffer.concat([name.subarray(0, o.NAME_BYTES_MAX - NAME_ROOM), suffix])
      if (this.nodeAt(parent, free) === null) return free
    }
  }

  private flushWhenFull(): void {
    if (this.openBytes < FLUSH_BYTES && this.operations % FLUSH_OPERATIONS !== 0) return
    this.flush()
    this.t.inodes.trim()
    failpoint('mount.carry.piece')
  }

  /** Where the old ledger cut an epoch: small enough for one record of the chain, and a state that existed. */
  private cut(): void {
    this.flush()
    cutInside(this.t)
  }

  private flush(): void {
    this.t.database.flush()
    // Nobody takes a single step of this back: what is in the table need not be in memory as well.
    this.t.staged.committed()
    this.openBytes = 0
  }

  private lookForLosses(): Losses | null {
    const text = `SELECT i.file, sum(e.length) AS bytes FROM extent e JOIN inode i ON i.ino = e.ino
      LEFT JOIN staged s ON s.id = e.staged WHERE e.staged IS NOT NULL AND s.id IS NULL GROUP BY e.ino`
    const rows = this.t.database.sql<[], { file: Buffer; bytes: number }>(text).all()
    const kept = new Map(this.losses.kept)
    const holed = new Map(this.losses.holed)
    let isMore = false
    for (const row of rows) {
      const file = row.file.toString('hex') as FileId
      const where = this.fresh.has(file) ? holed : kept
      isMore ||= !where.has(file)
      where.set(file, row.bytes)
    }
    return isMore ? { ...this.losses, kept, holed } : null
  }

  /** Lost bytes of new files become holes; the files are named so that nobody takes them for whole. */
  private tellLosses(): LostFile[] {
    const told: LostFile[] = []
    for (const [file, bytes] of this.losses.holed) {
      const node = this.t.inodes.byFileId(file)
      if (node === null) continue
      this.punch(node)
      this.rename(node)
      told.push(...this.named(node, bytes, 'damaged'))
    }
    for (const [file, bytes] of this.losses.kept) {
      const node = this.t.inodes.byFileId(file)
      if (node !== null) told.push(...this.named(node, bytes, 'stored'))
    }
    this.flush()
    return told.slice(0, LOST_FILES_TOLD)
  }

  private punch({ ino, file }: Node): void {
    const text = `SELECT e.offset, e.length FROM extent e LEFT JOIN staged s ON s.id = e.staged
      WHERE e.ino = ? AND e.staged IS NOT NULL AND s.id IS NULL`
    const ranges = this.t.database.sql<[number], { offset: number; length: number }>(text).all(ino)
    for (const range of ranges) this.perform({ kind: o.KIND.hole, file, ...range })
  }

  private rename(node: Node): void {
    this.t.database.flush()
    const text = 'SELECT i.file, d.name FROM dentry d JOIN inode i ON i.ino = d.parent WHERE d.ino = ?'
    for (const row of this.t.database.sql<[number], { file: Buffer; name: Buffer }>(text).all(node.ino)) {
      const parent = row.file.toString('hex') as FileId
      const newName = this.freeName(parent, row.name, 'damaged')
      const names = { parent, name: row.name, newParent: parent, newName }
      this.perform({ kind: o.KIND.rename, ...names, exchange: false, time: node.ctime })
    }
  }

  private named(node: Node, bytes: number, now: LostFile['now']): LostFile[] {
    return pathsOf(this.t, [node.ino]).map(({ path }) => ({ path, bytes, now }))
  }
}
