/**
 * The chain of each drive and what its records change, in one transaction: head, devices, confirmed and retired
 * segments. When an append resolves, it is on disk.
 */
import { AppError } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { hexOf } from '../../base/hex.js'
import type { ChainRecord, Head } from '../../model/chain.js'
import { type AccountId, type DeviceId, idBytes, type SegmentId } from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { flushToDisk, transaction } from '../../sqlite/open.js'
import { SEGMENT_STATE } from './segment-rows.js'

export interface ChainEffects {
  addDevices: DeviceId[]
  revokeDevices: DeviceId[]
  confirm: readonly SegmentId[]
  retire: readonly SegmentId[]
  /** A writer term that this record claims. */
  writer: { device: DeviceId; term: number } | null
  /** What the chain says with this record (permits/chain-state.ts). */
  stateText: string
}

export class ChainRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.db = db
    this.statements = prepare(db)
  }

  /** Makes the drive; false when a drive of this name exists. */
  async createDrive(
    genesis: ChainRecord,
    facts: { account: AccountId; device: DeviceId; label: Buffer; stateText: string },
    nowMs: number,
  ): Promise<boolean> {
    const made = transaction(this.db, () => {
      const { lastInsertRowid, changes } = this.statements.addDrive.run(
        idBytes(genesis.drive),
        idBytes(facts.account),
        facts.label,
        nowMs,
        genesis.hash,
        genesis.encoded.length,
        facts.stateText,
      )
      if (changes === 0) return false
      const row = Number(lastInsertRowid)
      this.insert(row, genesis)
      this.statements.addDevice.run(idBytes(facts.device), row, nowMs)
      failpoint('bridge-drive-inside')
      return true
    })
    flushToDisk(this.db)
    failpoint('bridge-drive-flushed')
    return made
  }

  /** `head-moved` when the record does not follow the head; `unknown-segment`, `not-committed`: nothing has changed. */
  async append(driveRow: number, record: ChainRecord, effects: ChainEffects, nowMs: number): Promise<void> {
    transaction(this.db, () => {
      this.advance(driveRow, record, effects, nowMs)
      for (const segment of effects.confirm) this.confirm(driveRow, segment)
      for (const segment of effects.retire) this.statements.retire.run(nowMs, driveRow, idBytes(segment))
      if (effects.writer !== null) {
        this.statements.claim.run(idBytes(effects.writer.device), effects.writer.term, nowMs, driveRow)
      }
      failpoint('bridge-append-inside')
    })
    failpoint('bridge-append-committed')
    flushToDisk(this.db)
    failpoint('bridge-append-flushed')
  }

  /**
   * Records that had been appended before the books were lost, all or none. What they confirm and retire is done as far as
   * the segments are known: the device tells of the others (reconcile/restatements.ts).
   */
  async restore(
    driveRow: number,
    records: readonly { record: ChainRecord; effects: ChainEffects }[],
    nowMs: number,
  ): Promise<void> {
    transaction(this.db, () => {
      for (const { record, effects } of records) {
        this.advance(driveRow, record, effects, nowMs)
        for (const segment of effects.confirm) this.statements.confirm.run(driveRow, idBytes(segment))
        for (const segment of effects.retire) this.statements.retire.run(nowMs, driveRow, idBytes(segment))
        const { writer } = effects
        // It wrote then; that it lives now only a heartbeat tells.
        if (writer !== null) this.statements.claim.run(idBytes(writer.device), writer.term, 0, driveRow)
      }
      failpoint('bridge-restate-inside')
    })
    failpoint('bridge-restate-committed')
    flushToDisk(this.db)
    failpoint('bridge-restate-flushed')
  }

  private advance(driveRow: number, record: ChainRecord, effects: ChainEffects, nowMs: number): void {
    const link = [driveRow, record.sequence - 1, record.previous] as const
    const { changes } = this.statements.moveHead.run(
      record.sequence,
      record.hash,
      record.encoded.length,
      effects.stateText,
      ...link,
    )
    if (changes !== 1) throw headMoved(this.headNow(driveRow))
    this.insert(driveRow, record)
    for (const device of effects.addDevices) this.statements.addDevice.run(idBytes(device), driveRow, nowMs)
    for (const device of effects.revokeDevices) this.statements.revokeDevice.run(driveRow, idBytes(device))
  }

  private insert(driveRow: number, record: ChainRecord): void {
    const { sequence, kind, encoded, hash } = record
    this.statements.addRecord.run(driveRow, sequence, kind, encoded.length, hash, encoded)
  }

  /** A segment is confirmed from whichever state it is in: a retired one comes back to life. */
  private confirm(driveRow: number, segment: SegmentId): void {
    if (this.statements.confirm.run(driveRow, idBytes(segment)).changes === 1) return
    const state = this.statements.segmentState.get(driveRow, idBytes(segment))
    if (state === undefined) {
      throw new AppError('unknown-segment', `segment ${segment} is not placed`, {
        details: { segment },
        hint: 'place and push it again',
      })
    }
    throw new AppError('not-committed', `segment ${segment} has ${state.stored} receipts of ${state.threshold}`, {
      retry: 'later',
      details: { segment, stored: state.stored, commit: state.threshold },
    })
  }

  async headOf(driveRow: number): Promise<Head> {
    return guarded(() => this.headNow(driveRow))
  }

  private headNow(driveRow: number): Head {
    const head = this.statements.head.get(driveRow)
    if (head === undefined) throw new AppError('unknown-drive', 'the drive is gone')
    return { sequence: head.head_sequence, hash: head.head_hash }
  }

  /** Records from `from` on, whole, at most `bytesMax` of them and at least one if there is one. */
  async read(driveRow: number, from: number, bytesMax: number): Promise<Buffer[]> {
    return guarded(() => {
      const records: Buffer[] = []
      let bytes = 0
      for (const { size, record } of this.statements.records.iterate(driveRow, from)) {
        bytes += size + 4
        if (records.length > 0 && bytes > bytesMax) break
        records.push(record)
      }
      return records
    })
  }

  /** What the chain of an existing drive says, as text. */
  async loadState(driveRow: number): Promise<string> {
    return guarded(() => {
      const found = this.statements.state.get(driveRow)
      if (found === undefined) throw new AppError('unknown-drive', 'the drive is gone')
      return found.chain_state
    })
  }

  /** The hash of the record at a sequence number, null beyond the head. */
  async hashAt(driveRow: number, sequence: number): Promise<Buffer | null> {
    return guarded(() => this.statements.hashAt.get(driveRow, sequence)?.hash ?? null)
  }
}

export function headMoved(head: Head): AppError {
  return new AppError('head-moved', `the head of the chain is ${head.sequence}`, {
    retry: 'later',
    details: { sequence: head.sequence, hash: hexOf(head.hash) },
  })
}

interface RawState {
  stored: number
  threshold: number
}

function prepare(db: Database) {
  return {
    addDrive: db.prepare(
      `INSERT INTO drives (drive, account, label, created_at, head_sequence, head_hash, chain_bytes, chain_state)
       VALUES (?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT (drive) DO NOTHING`,
    ),
    addRecord: db.prepare(
      'INSERT INTO chain (drive_row, sequence, kind, size, hash, record) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    addDevice: db.prepare(
      `INSERT INTO devices (device, drive_row, added_at, revoked) VALUES (?, ?, ?, 0)
       ON CONFLICT (device, drive_row) DO UPDATE SET revoked = 0`,
    ),
    revokeDevice: db.prepare('UPDATE devices SET revoked = 1 WHERE drive_row = ? AND device = ?'),
    moveHead: db.prepare(
      `UPDATE drives SET head_sequence = ?, head_hash = ?, chain_bytes = chain_bytes + ?, chain_state = ?
       WHERE id = ? AND head_sequence = ? AND head_hash = ?`,
    ),
    claim: db.prepare('UPDATE drives SET writer_device = ?, writer_term = ?, heartbeat_at = ? WHERE id = ?'),
    state: db.prepare('SELECT chain_state FROM drives WHERE id = ?') as Statement<[number], { chain_state: string }>,
    head: db.prepare('SELECT head_sequence, head_hash FROM drives WHERE id = ?') as Statement<
      [number],
      { head_sequence: number; head_hash: Buffer }
    >,
    confirm: db.prepare(
      `UPDATE segments SET state = ${SEGMENT_STATE.confirmed}, retired_at = NULL
       WHERE drive_row = ? AND segment = ? AND (state <> ${SEGMENT_STATE.placed} OR stored >= threshold)`,
    ),
    segmentState: db.prepare('SELECT stored, threshold FROM segments WHERE drive_row = ? AND segment = ?') as Statement<
      [number, Buffer],
      RawState
    >,
    retire: db.prepare(
      `UPDATE segments SET state = ${SEGMENT_STATE.retired}, retired_at = ?
       WHERE drive_row = ? AND segment = ? AND state = ${SEGMENT_STATE.confirmed}`,
    ),
    records: db.prepare(
      'SELECT size, record FROM chain WHERE drive_row = ? AND sequence >= ? ORDER BY sequence',
    ) as Statement<[number, number], { size: number; record: Buffer }>,
    hashAt: db.prepare('SELECT hash FROM chain WHERE drive_row = ? AND sequence = ?') as Statement<
      [number, number],
      { hash: Buffer }
    >,
  }
}
