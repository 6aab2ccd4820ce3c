/** What the operation families of the vfs share. */

import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { LedgerTree } from '../metadata/ledger.js'
import { refusalOf } from '../metadata/refusal.js'
import type { Changed, FileTime, Inode, Progress } from '../metadata/types.js'
import type { Staging } from '../writer/staging.js'
import { FreshDirectories } from './fresh-directories.js'
import { type Entry, InodeTable } from './inode-table.js'
import type { NoticeSource } from './notice.js'
import type { Durability, Health, Pins, Reader, SpaceSource } from './ports.js'

export interface VfsLedger extends LedgerTree {
  progress(): Progress
  readOnlyReason(): string | null
}

export interface VfsParts {
  readonly ledger: VfsLedger
  readonly staging: Staging
  readonly reader: Reader
  readonly space: SpaceSource
  readonly clock: Clock
  readonly log: Log
  /** fsync means stored on hosts. */
  readonly durability?: Durability | undefined
  readonly health?: Health | undefined
  readonly pins?: Pins | undefined
  /** Why the drive cannot be written, for a file at its root. */
  readonly notice?: NoticeSource | undefined
}

export interface FileHandle {
  readonly ino: number
  readonly write: boolean
}

/** Seconds that fit 64 bits of nanoseconds. */
const SECONDS_MAX = 9_223_372_035
/** Open files and directories together. */
const HANDLES_MAX = 1_000_000

export class VfsState {
  readonly parts: VfsParts
  readonly table: InodeTable
  readonly fresh = new FreshDirectories()
  private readonly handles = new Map<number, FileHandle>()
  private lastHandle = 0

  constructor(parts: VfsParts) {
    this.parts = parts
    this.table = new InodeTable((inos) => {
      parts.ledger.reap(inos).catch((error: unknown) => parts.log.warn({ err: error }, 'orphans were not ended'))
    })
  }

  time(): FileTime {
    const ns = this.parts.clock.nowNs()
    return { sec: Number(ns / 1_000_000_000n), nsec: Number(ns % 1_000_000_000n) }
  }

  expectWritable(): void {
    const reason = this.parts.ledger.readOnlyReason()
    if (reason !== null) throw refusalOf(reason)
  }

  /** The first inode gets a lookup, then everybody's attributes are taken over. */
  looked(changed: Changed): Inode {
    const [first, ...others] = changed.inodes
    const entry = this.table.look(first as Inode)
    for (const inode of others) this.table.learn(inode)
    return entry.inode
  }

  learn(changed: Changed): Inode {
    for (const inode of changed.inodes) this.table.learn(inode)
    const first = changed.inodes[0] as Inode
    return this.table.get(first.ino)?.inode ?? first
  }

  /** The entry, with attributes that are right in every field that does not count blocks. */
  async entry(ino: number): Promise<Entry | null> {
    const known = this.table.get(ino)
    if (known !== undefined && (known.fresh || known.pending > 0)) return known
    this.table.learn(await this.parts.ledger.attributes(ino))
    return this.table.get(ino) ?? null
  }

  open(inode: Inode, write: boolean): number {
    if (this.handles.size >= HANDLES_MAX) throw new AppError('too-many-open', 'too many files are open')
    this.table.hold(inode)
    const fh = ++this.lastHandle
    this.handles.set(fh, { ino: inode.ino, write })
    return fh
  }

  handle(fh: number, ino: number): FileHandle {
    const handle = this.handles.get(fh)
    if (handle === undefined || handle.ino !== ino) throw new AppError('bad-handle', 'no such handle')
    return handle
  }

  close(fh: number): void {
    const handle = this.handles.get(fh)
    if (handle === undefined) return
    this.handles.delete(fh)
    this.table.release(handle.ino)
  }

  get openHandles(): number {
    return this.handles.size
  }
}

export function clampTime(time: FileTime): FileTime {
  if (time.sec > SECONDS_MAX) return { sec: SECONDS_MAX, nsec: 0 }
  if (time.sec < -SECONDS_MAX) return { sec: -SECONDS_MAX, nsec: 0 }
  return { sec: time.sec, nsec: time.nsec }
}
