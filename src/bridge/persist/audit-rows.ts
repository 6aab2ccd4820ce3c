/** Audits in the books: samples of a host's shards, requests, what a burst came to, verdicts that wait for their round's end. */
import { LRUCache } from 'lru-cache'
import { failpoint } from '../../base/failpoint.js'
import { type DriveId, driveId, idBytes, shardId } from '../../model/ids.js'
import type { Database } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'
import { reading, transaction } from '../../sqlite/open.js'
import {
  type BurstRecord,
  CAUSES,
  type Candidate,
  type Held,
  type NewRequest,
  PLACE_BYTES,
  type SampledShard,
  type ShardPlace,
} from './audit-records.js'
import { type FrozenHost, prepareAudits, type RawProof, type RawRequest } from './audit-sql.js'
import { prepareSegments } from './segment-sql.js'
import { type Standing, TRANSCRIPTS_MAX, type WindowTally } from './standing-rows.js'

const DRIVES_MAX = 10_000
/** Shards of a segment have indexes below this. */
const INDEXES = 256
export class AuditRows {
  private readonly db: Database
  private readonly statements: ReturnType<typeof prepareAudits>
  private readonly segments: ReturnType<typeof prepareSegments>
  private readonly drives = new LRUCache<number, DriveId>({ max: DRIVES_MAX })

  constructor(db: Database) {
    this.db = db
    this.statements = prepareAudits(db)
    this.segments = prepareSegments(db)
  }

  /** Requests that are due, the longest waiting first. Those whose shard is not there any more go. */
  async requested(hostRow: number, nowMs: number, limit: number): Promise<Candidate[]> {
    return guarded(() => {
      const found: Candidate[] = []
      for (const raw of this.statements.requested.all(hostRow, nowMs, limit)) {
        const { segmentRow, index, shardLength } = raw
        if (shardLength === null) this.statements.endRequest.run(hostRow, segmentRow, index)
        else found.push({ segmentRow, index, shardLength, provedAt: null, request: requestOf(raw) })
      }
      return found
    })
  }

  /** Runs of shards from these places on (around the end; from the beginning, when a place is empty), and the shards that were proved longest ago; each once. */
  async sample(hostRow: number, places: readonly Buffer[], runShards: number, oldest: number): Promise<Candidate[]> {
    return reading(this.db, () => {
      const found = new Map<number, Candidate>()
      const keep = (rows: RawProof[]) => {
        for (const raw of rows) found.set(raw.segmentRow * INDEXES + raw.index, { ...raw, request: null })
        return rows.length
      }
      for (const place of places) {
        const count = keep(this.statements.run.all(hostRow, place, runShards))
        if (count < runShards && place.length > 0)
          keep(this.statements.run.all(hostRow, Buffer.alloc(0), runShards - count))
      }
      if (oldest > 0) keep(this.statements.oldest.all(hostRow, oldest))
      return [...found.values()]
    })
  }

  /** These as they are in the books now; what is not stored there any more is left out. */
  async named<T extends Candidate>(hostRow: number, chosen: readonly T[]): Promise<(T & SampledShard)[]> {
    return reading(this.db, () =>
      chosen.flatMap((one) => {
        const names = this.statements.one.get(one.segmentRow, one.index, hostRow)
        if (names === undefined) return []
        const { generation } = names
        return [{ ...one, generation, drive: this.driveOf(names.driveRow), shard: shardId(names.shard) }]
      }),
    )
  }

  /** Drives keep their rows for ever. */
  private driveOf(row: number): DriveId {
    const known = this.drives.get(row) ?? driveId((this.statements.drive.get(row) as { drive: Buffer }).drive)
    this.drives.set(row, known)
    return known
  }

  /** `settle` is given the leaves that count, and the new standing is saved with them. */
  async saveBurst(burst: BurstRecord, settle: (success: number) => Standing): Promise<void> {
    const { hostRow, at } = burst
    transaction(this.db, () => {
      let success = 0
      // A shard that was moved or deleted meanwhile is no verdict.
      for (const { segmentRow, index, generation, shard } of burst.proved) {
        const place = idBytes(shard).subarray(0, PLACE_BYTES)
        success += this.statements.prove.run(at, hostRow, place, segmentRow, index, generation).changes
      }
      for (const { segmentRow, index } of burst.ended) this.statements.endRequest.run(hostRow, segmentRow, index)
      for (const one of burst.again) this.askAgain(hostRow, one, burst.containedMax)
      for (const { device, isRight } of burst.accusers)
        this.statements.noteAccuser.run(device, isRight ? 1 : 0, isRight ? 0 : 1)
      this.hold(burst, success)
      failpoint('bridge.audit.inside')
      this.addWindow(hostRow, burst.window, { asked: 1, online: burst.isOnline ? 1 : 0, success })
      this.saveStanding(hostRow, settle(success))
    })
    failpoint('bridge.audit.saved')
  }

  private addWindow(
    hostRow: number,
    window: number,
    more: Partial<Omit<WindowTally, 'window'> & { frozen: number }>,
  ): void {
    const { asked = 0, online = 0, success = 0, fail = 0, admitted = 0, frozen = 0 } = more
    this.statements.addWindow.run(hostRow, window, asked, online, success, fail, admitted, frozen)
  }

  private askAgain(hostRow: number, one: NewRequest, containedMax: number): void {
    const cause = CAUSES.indexOf(one.cause)
    if (one.cause === 'timeout' && one.tries === 1) {
      const { count } = this.statements.countCause.get(hostRow, cause, containedMax) as { count: number }
      if (count >= containedMax) return
    }
    const { segmentRow, index, generation, leaf, tries, dueAt, accuser } = one
    this.statements.request.run(hostRow, segmentRow, index, generation, leaf, cause, tries, dueAt, accuser)
  }

  private hold(burst: BurstRecord, success: number): void {
    const { hostRow, round, at, transcript } = burst
    if (burst.held.length === 0) return
    const kept = transcript === null ? null : Number(this.statements.keep.run(hostRow, at, transcript).lastInsertRowid)
    if (kept !== null) this.statements.trimTranscripts.run(hostRow, hostRow, TRANSCRIPTS_MAX)
    for (const [nth, one] of burst.held.entries()) {
      const { segmentRow, index, generation, admitted, tries, why } = one
      const place = [hostRow, segmentRow, index, generation] as const
      this.statements.hold.run(round, ...place, admitted ? 1 : 0, tries, nth === 0 ? success : 0, why, kept, at)
    }
  }

  private saveStanding(hostRow: number, now: Standing): void {
    const { score, known, success, fail, lost, offline, timeout, unknown, firstAt, stateAt, round, answerMs } = now
    const counts = [success, fail, lost, offline, timeout, unknown] as const
    this.statements.standing.run(hostRow, score, known, ...counts, firstAt, stateAt, round, answerMs)
  }

  /** The state of a host changed, or it begins anew: then what it failed before is forgotten. */
  async saveStandingOf(hostRow: number, standing: Standing, isAnew = false): Promise<void> {
    transaction(this.db, () => {
      this.saveStanding(hostRow, standing)
      if (isAnew) this.statements.pardon.run(hostRow)
    })
  }

  /** A host named so many shards itself. */
  async saveAdmitted(hostRow: number, standing: Standing, window: number, admitted: number): Promise<void> {
    transaction(this.db, () => {
      this.saveStanding(hostRow, standing)
      this.addWindow(hostRow, window, { admitted })
    })
  }

  async request(hostRow: number, requests: readonly NewRequest[], requestsMax: number): Promise<void> {
    transaction(this.db, () => {
      for (const one of requests) {
        if (this.statements.beyond.get(hostRow, requestsMax - 1) !== undefined) return
        const { segmentRow, index, generation, leaf, tries, dueAt, accuser } = one
        const cause = CAUSES.indexOf(one.cause)
        // What is contained stays so: an accusation does not start its time anew.
        this.statements.requestNew.run(hostRow, segmentRow, index, generation, leaf, cause, tries, dueAt, accuser)
      }
    })
  }

  async accuser(device: Buffer): Promise<{ right: number; wrong: number }> {
    return guarded(() => this.statements.accuser.get(device) ?? { right: 0, wrong: 0 })
  }

  /** Rounds before this one in which something was found, oldest first. */
  async openRounds(beforeRound: number): Promise<number[]> {
    return guarded(() => this.statements.openRounds.all(beforeRound).map((raw) => raw.round))
  }

  /** What was found in it and has not taken effect. */
  async heldOf(round: number): Promise<Held[]> {
    return guarded(() =>
      this.statements.held.all(round).map(({ admitted, ...raw }) => ({ ...raw, admitted: admitted === 1 })),
    )
  }

  /**
   * Verdicts of one host take effect: their shards are lost, unless they moved meanwhile; `settle` is given those that count.
   */
  async applyHeld(
    hostRow: number,
    held: readonly Held[],
    window: number,
    settle: (counted: Held[]) => Standing,
  ): Promise<Held[]> {
    return transaction(this.db, () => {
      const counted = held.filter((one) => this.lose(hostRow, one))
      for (const { id } of held) this.statements.endHeld.run(id)
      const admitted = counted.filter((one) => one.admitted).length
      if (counted.length > 0) this.addWindow(hostRow, window, { fail: counted.length - admitted, admitted })
      failpoint('bridge.audit.closing')
      this.saveStanding(hostRow, settle(counted))
      return counted
    })
  }

  private lose(hostRow: number, { segmentRow, index, generation }: ShardPlace): boolean {
    if (this.segments.loseShard.run(segmentRow, index, hostRow, generation).changes === 0) return false
    this.segments.addStored.run(-1, segmentRow)
    return true
  }

  /** Found while penalties are frozen: asked again later, or, when it was found often enough, lost at no cost. */
  async freezeHeld(held: readonly (Held & { dueAt: number })[], window: number, triesMax: number): Promise<number> {
    return transaction(this.db, () => {
      let lost = 0
      for (const one of held) {
        const { id, hostRow, segmentRow, index, generation, dueAt } = one
        const tries = one.tries + 1
        this.statements.endHeld.run(id)
        this.addWindow(hostRow, window, { frozen: 1 })
        if (tries >= triesMax) lost += this.lose(hostRow, one) ? 1 : 0
        else {
          const cause = CAUSES.indexOf('frozen')
          this.statements.request.run(hostRow, segmentRow, index, generation, null, cause, tries, dueAt, null)
        }
      }
      this.statements.countFreeze.run()
      return lost
    })
  }

  /** Hosts that failed while penalties were frozen, since that window. */
  async frozenSince(window: number): Promise<FrozenHost[]> {
    return guarded(() => this.statements.frozenSince.all(window))
  }

  /** Rounds in which penalties were frozen, ever. */
  async freezes(): Promise<number> {
    return guarded(() => this.statements.freezes.get()?.value ?? 0)
  }

  /** What is older says nothing any more. */
  async forgetBefore(window: number): Promise<void> {
    guarded(() => this.statements.forgetWindows.run(window))
  }
}

function requestOf({ cause, leaf, tries, accuser }: RawRequest): Candidate['request'] {
  return { cause: CAUSES[cause] ?? 'evidence', leaf, tries, accuser }
}
