/** A tree from nothing: the pieces of a snapshot, applied in one transaction that spans several calls. */

import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Head } from '../../model/chain.js'
import { databaseFailure } from '../../sqlite/failures.js'
import { apply } from './apply.js'
import { expectNoLocalChanges, markPublished } from './chain.js'
import { check } from './check.js'
import { checkVersion, decodeSome } from './operation-codec.js'
import * as o from './operations.js'
import type { Tables } from './tables.js'

const IN_SNAPSHOTS = new Set<number>([
  ...[o.KIND.putInode, o.KIND.putDentry, o.KIND.setXattr, o.KIND.segment, o.KIND.extent, o.KIND.allocate],
])

export class SnapshotImport {
  private readonly tables: Tables
  private readonly epoch: number
  private rest = Buffer.alloc(0)
  private started = false

  constructor(tables: Tables, epoch: number) {
    this.tables = tables
    this.epoch = epoch
    expectNoLocalChanges(tables)
    const { database } = tables
    if (tables.inodes.files > 1) throw new AppError('not-empty', 'there is a tree here already')
    database.commit()
    // The tree may be larger than memory.
    database.db.pragma('cache_spill = ON')
    database.db.exec('BEGIN IMMEDIATE')
    tables.counters.raise('epoch', epoch)
  }

  /** Throws as applyBatch() does; abort() then. */
  piece(bytes: Buffer): void {
    const { database, inodes } = this.tables
    try {
      let all = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes
      if (!this.started && all.length > 0) {
        checkVersion(all[0] as number)
        this.started = true
        all = all.subarray(1)
      }
      const used = decodeSome(all, false, (operation) => {
        if (!IN_SNAPSHOTS.has(operation.kind))
          throw new AppError('malformed', 'a snapshot holds an operation of epochs')
        apply(this.tables, operation, 0, this.epoch)
      })
      this.rest = Buffer.from(all.subarray(used))
      database.flush()
      inodes.trim()
      failpoint('mount.import.piece')
    } catch (error) {
      throw databaseFailure(error, database.file)
    }
  }

  /** The same: what is not in the database file yet may not fit either. */
  finish(head: Head): void {
    const { database } = this.tables
    try {
      this.settle(head)
    } catch (error) {
      throw databaseFailure(error, database.file)
    }
  }

  private settle(head: Head): void {
    const { database } = this.tables
    if (!this.started || this.rest.length > 0) throw new AppError('malformed', 'the snapshot is cut off')
    database.flush()
    const finding = check(this.tables)[0]
    if (finding !== undefined) throw new AppError('chain-mismatch', `the snapshot is not sound: ${finding.message}`)
    markPublished(this.tables, this.epoch, head)
    failpoint('mount.import.checked')
    database.settle()
    database.db.pragma('cache_spill = OFF')
  }

  abort(): void {
    const { database } = this.tables
    database.abandon()
    database.db.pragma('cache_spill = OFF')
  }
}
