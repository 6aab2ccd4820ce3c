/** Hosts as they registered and reported, what they must forget, and what devices say of them. */
import {
  type DeviceId,
  type HostId,
  hostId,
  idBytes,
  type Pseudonym,
  pseudonymId,
  type SegmentId,
  type ShardId,
  segmentId,
  shardId,
} from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { decodeJson } from '../../wire/check.js'
import { HOST_STATES, HostReport, type HostState } from '../../wire/host-api.js'

export interface HostRow {
  row: number
  host: HostId
  operator: string | null
  subnet: string
  capacityBytes: number
  usedBytes: number
  freeBytes: number
  seenAt: number
  /** Its last report; null before the first. */
  facts: HostReport | null
  state: HostState
  vettedAt: number | null
  leavingAt: number | null
  leftAt: number | null
}

export interface Deletion {
  id: number
  pseudonym: Pseudonym
  segment: SegmentId
  index: number
  shard: ShardId
  generation: number
}

export interface Evidence {
  device: DeviceId
  host: HostId
  segment: SegmentId
  index: number
  kind: string
  detail: string
}

interface RawHost {
  id: number
  host: Buffer
  operator: string | null
  subnet: string
  capacity: number
  used: number
  free: number
  seen_at: number
  facts: string
  state: number
  vetted_at: number | null
  leaving_at: number | null
  left_at: number | null
}

interface RawDeletion {
  id: number
  pseudonym: Buffer
  segment: Buffer
  idx: number
  shard: Buffer
  generation: number
}

function hostRow(raw: RawHost): HostRow {
  return {
    row: raw.id,
    host: hostId(raw.host),
    operator: raw.operator,
    subnet: raw.subnet,
    capacityBytes: raw.capacity,
    usedBytes: raw.used,
    freeBytes: raw.free,
    seenAt: raw.seen_at,
    facts: raw.facts === '{}' ? null : decodeJson(HostReport, Buffer.from(raw.facts), 'a saved report'),
    state: HOST_STATES[raw.state] ?? 'review',
    vettedAt: raw.vetted_at,
    leavingAt: raw.leaving_at,
    leftAt: raw.left_at,
  }
}

export class HostRows {
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.statements = prepare(db)
  }

  async loadAll(): Promise<HostRow[]> {
    return guarded(() => this.statements.all.all().map(hostRow))
  }

  /** Registers or updates; used bytes survive a new registration. */
  async save(
    host: HostId,
    facts: { operator: string | null; subnet: string; capacityBytes: number },
    nowMs: number,
  ): Promise<HostRow> {
    return guarded(() => {
      const { operator, subnet, capacityBytes } = facts
      this.statements.save.run({ host: idBytes(host), operator, subnet, capacity: capacityBytes, now: nowMs })
      return hostRow(this.statements.one.get(idBytes(host)) as RawHost)
    })
  }

  async saveReport(row: number, report: HostReport, nowMs: number): Promise<void> {
    const { capacityBytes, usedBytes, freeBytes } = report
    guarded(() =>
      this.statements.report.run(capacityBytes, usedBytes, freeBytes, nowMs, nowMs, JSON.stringify(report), row),
    )
  }

  async saveState(row: number, state: HostState, vettedAt: number | null): Promise<void> {
    guarded(() => this.statements.state.run(HOST_STATES.indexOf(state), vettedAt, row))
  }

  async saveExit(row: number, exit: { leavingAt: number | null; leftAt: number | null }): Promise<void> {
    guarded(() => this.statements.exit.run(exit.leavingAt, exit.leftAt, row))
  }

  async noteSeen(row: number, subnet: string, nowMs: number): Promise<void> {
    guarded(() => this.statements.seen.run(nowMs, subnet, row))
  }

  /** The oldest deletions of a host after `afterId`. */
  async deletionsOf(row: number, afterId: number, limit: number): Promise<Deletion[]> {
    return guarded(() =>
      this.statements.deletions.all(row, afterId, limit).map((raw) => ({
        id: raw.id,
        pseudonym: pseudonymId(raw.pseudonym),
        segment: segmentId(raw.segment),
        index: raw.idx,
        shard: shardId(raw.shard),
        generation: raw.generation,
      })),
    )
  }

  async removeDeletion(row: number, id: number): Promise<void> {
    guarded(() => this.statements.removeDeletion.run(id, row))
  }

  async countDeletions(): Promise<number> {
    return guarded(() => (this.statements.countDeletions.get() as { count: number }).count)
  }

  /** Keeps at most `perDriveMax` of a drive: the oldest go. */
  async saveEvidence(driveRow: number, evidence: Evidence, nowMs: number, perDriveMax: number): Promise<void> {
    const { device, host, segment, index, kind, detail } = evidence
    guarded(() => {
      this.statements.addEvidence.run(
        driveRow,
        idBytes(device),
        idBytes(host),
        idBytes(segment),
        index,
        kind,
        detail,
        nowMs,
      )
      this.statements.trimEvidence.run(driveRow, driveRow, perDriveMax)
    })
  }

  async evidenceOf(host: HostId, limit: number): Promise<(Omit<Evidence, 'device'> & { at: number })[]> {
    return guarded(() =>
      this.statements.evidence.all(idBytes(host), limit).map((raw) => ({
        host,
        segment: segmentId(raw.segment),
        index: raw.idx,
        kind: raw.kind,
        detail: raw.detail,
        at: raw.at,
      })),
    )
  }
}

interface RawEvidence {
  segment: Buffer
  idx: number
  kind: string
  detail: string
  at: number
}

function prepare(db: Database) {
  return {
    all: db.prepare('SELECT * FROM hosts ORDER BY id') as Statement<[], RawHost>,
    one: db.prepare('SELECT * FROM hosts WHERE host = ?') as Statement<[Buffer], RawHost>,
    save: db.prepare(
      `INSERT INTO hosts (host, operator, subnet, capacity, used, free, created_at, reported_at, seen_at)
       VALUES (@host, @operator, @subnet, @capacity, 0, @capacity, @now, @now, @now)
       ON CONFLICT (host) DO UPDATE SET operator = @operator, subnet = @subnet, capacity = @capacity,
         free = MAX(0, MIN(free + @capacity - capacity, @capacity)), seen_at = @now`,
    ),
    report: db.prepare(
      'UPDATE hosts SET capacity = ?, used = ?, free = ?, reported_at = ?, seen_at = ?, facts = ? WHERE id = ?',
    ),
    state: db.prepare('UPDATE hosts SET state = ?, vetted_at = ? WHERE id = ?'),
    exit: db.prepare('UPDATE hosts SET leaving_at = ?, left_at = ? WHERE id = ?'),
    seen: db.prepare('UPDATE hosts SET seen_at = ?, subnet = ? WHERE id = ?'),
    deletions: db.prepare('SELECT * FROM deletions WHERE host_row = ? AND id > ? ORDER BY id LIMIT ?') as Statement<
      [number, number, number],
      RawDeletion
    >,
    removeDeletion: db.prepare('DELETE FROM deletions WHERE id = ? AND host_row = ?'),
    countDeletions: db.prepare('SELECT count(*) AS count FROM deletions'),
    addEvidence: db.prepare(
      'INSERT INTO evidence (drive_row, device, host, segment, idx, kind, detail, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    trimEvidence: db.prepare(
      `DELETE FROM evidence WHERE drive_row = ? AND id <=
       (SELECT id FROM evidence WHERE drive_row = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    ),
    evidence: db.prepare('SELECT * FROM evidence WHERE host = ? ORDER BY id DESC LIMIT ?') as Statement<
      [Buffer, number],
      RawEvidence
    >,
  }
}
