/**
 * What a host says of itself: shards that it found damaged or gone. Each that is stored there in that generation is lost at
 * once, so that repair begins; it costs a quarter of what being found out would (reputation/score.ts). What the books do
 * not know is ignored, and so is what was said before.
 *
 * One exception: a word alone never takes a segment below the shards that rebuild it. A release that calls everything
 * damaged would otherwise end what it only miscounted; such a shard is asked for with the next burst, and that decides.
 */
import { driveId, pseudonymId, segmentId, shardId } from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { LossesRequest } from '../../wire/host-api.js'
import type { KnownHost } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'
import type { Standings } from '../reputation/standings.js'
import type { AuditRequests } from './requests.js'

export interface LossesParts {
  store: Store
  standings: Standings
  requests: AuditRequests
}

export class Losses {
  private readonly parts: LossesParts

  constructor(parts: LossesParts) {
    this.parts = parts
  }

  /** The number of shards that are lost by it. */
  async take(host: KnownHost, request: LossesRequest): Promise<number> {
    let lost = 0
    for (const loss of request.losses) if (await this.takeOne(host, loss)) lost++
    if (lost > 0) await this.parts.standings.admit(host, lost)
    return lost
  }

  private async takeOne(host: KnownHost, loss: LossesRequest['losses'][number]): Promise<boolean> {
    const { store, requests } = this.parts
    const { segment, index, shard, generation } = loss
    const claim = { segment: segmentId(segment), index, shard: shardId(shard), generation }
    const row = await store.standings.findClaim(host.row, claim)
    if (row === null || pseudonymOf(driveId(row.drive), host.host) !== pseudonymId(loss.pseudonym)) return false
    if (row.stored <= row.dataShards) {
      await requests.ask(host.row, [{ segmentRow: row.segmentRow, index, generation }], 'inventory')
      return false
    }
    return store.segments.saveLost(row.segmentRow, { index, hostRow: host.row, generation })
  }
}
