/** The main thread's end of care.ts. */
import type { SegmentId } from '../../model/ids.js'
import type { FilesAtRisk, StagedLook } from './care.js'
import type { CarriedOver, CarriedPins, CarryPlan } from './carried.js'
import type { LedgerChannel } from './channel.js'
import type { OldFacts } from './old-ledger.js'
import { bufferOf } from './packing.js'
import type { Repaired } from './repair.js'

export class LedgerCare {
  private readonly channel: LedgerChannel

  constructor(channel: LedgerChannel) {
    this.channel = channel
  }

  /** Mends what can be told from other rows. */
  repair(): Promise<Repaired[]> {
    return this.channel.call('repair', []) as Promise<Repaired[]>
  }

  /** Opens staged rows behind `after`, some at a time. */
  lookAtStaged(after: number): Promise<StagedLook> {
    return this.channel.call('lookAtStaged', [after]) as Promise<StagedLook>
  }

  filesAtRisk(wanted: { segments: readonly SegmentId[]; staged: readonly number[] }): Promise<FilesAtRisk> {
    return this.channel.call('filesAtRisk', [wanted]) as Promise<FilesAtRisk>
  }

  /** Of the write-ahead log, as far as SQLite believes it. Between groups. */
  logFrames(): Promise<number> {
    return this.channel.call('logFrames', []) as Promise<number>
  }

  /** It was durable to a later moment than it shows. */
  isBehind(): Promise<boolean> {
    return this.channel.call('isBehind', []) as Promise<boolean>
  }

  /** Somebody else found damage: nothing is changed any more. */
  noteDamage(what: string): Promise<void> {
    return this.channel.call('noteDamage', [what]) as Promise<void>
  }

  /** A ledger that was set aside; null: nothing of it can be read. */
  async lookAtOld(file: string): Promise<OldFacts | null> {
    const facts = (await this.channel.call('lookAtOld', [file])) as OldFacts | null
    if (facts === null) return null
    const pending = facts.pending.map((one) => ({ ...one, recordHash: one.recordHash && bufferOf(one.recordHash) }))
    return { ...facts, pending }
  }

  /** What only it knew, into this one; null: nothing of it can be read. `local-changes`, `no-space`. */
  carryOver(file: string, plan: CarryPlan): Promise<CarriedOver | null> {
    return this.channel.call('carryOver', [file, plan]) as Promise<CarriedOver | null>
  }

  /** What was pinned in it, into this one, behind carryOver(). `no-space`. */
  carryPins(file: string): Promise<CarriedPins> {
    return this.channel.call('carryPins', [file]) as Promise<CarriedPins>
  }
}
