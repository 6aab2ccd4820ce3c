/** What keeps a host from serving or from taking, now: the disk first, then the store, then the owner's terms. */
import { AppError } from '../base/errors.js'
import { type DiskHealth, isLost, refusalOfDisk } from './disk/disk-watch.js'
import type { Doorkeeper } from './endpoint/endpoint.js'
import type { Terms } from './terms/terms.js'

export interface DoorParts {
  disk: () => DiskHealth
  /** Writing stopped after a failure of the disk. */
  readOnly: () => boolean
  terms: Terms
}

export class Door implements Doorkeeper {
  private readonly parts: DoorParts

  constructor(parts: DoorParts) {
    this.parts = parts
  }

  checkServing(): void {
    const health = this.parts.disk()
    if (isLost(health)) throw refusalOfDisk(health)
  }

  checkPut(): void {
    const refusal = this.refusal() ?? this.parts.terms.refusalOfPut()
    if (refusal !== null) throw refusal
  }

  checkGet(isRepair: boolean): void {
    const refusal = this.parts.terms.refusalOfGet(isRepair)
    if (refusal !== null) throw refusal
  }

  /** Why no shard is taken that is not only a matter of the hour. */
  private refusal(): AppError | null {
    if (!this.parts.readOnly()) return refusalOfDisk(this.parts.disk())
    return new AppError('host-read-only', 'the host cannot write', { retry: 'elsewhere' })
  }

  /** For the bridge and the owner; hours are told apart, because the bridge knows them ahead. */
  refuses(): AppError | null {
    const refusal = this.refusal()
    if (refusal !== null) return refusal
    const ofTerms = this.parts.terms.refusalOfPut()
    return ofTerms?.code === 'out-of-hours' ? null : ofTerms
  }
}
