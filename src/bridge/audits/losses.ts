/**
 * What a host says of itself: shards that it found damaged or gone. Each that is stored there in that generation is lost at
 * once, so that repair begins; it costs a quarter of what being found out would (reputation/score.ts). What the books do
 * not know is ignored, and so is what was said before.
 */
import type { HostId } from '../../model/ids.js'
import { driveId, pseudonymId, segmentId, shardId } from '../../model/ids.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { LossesRequest } from '../../wire/host-api.js'
import type { KnownHost } from '../hosts/registry.js'
import type { ClaimedRow } from '../persist/standing-rows.js'
import type { Store } from '../persist/store.js'

export class Losses {
  private readonly store: Store

  constructor(parts: { store: Store }) {
    this.store = parts.store
  }

  /** The number of shards that are lost by it. */
  async take(host: KnownHost, request: LossesRequest): Promise<number> {
    const claims = request.losses.map(({ pseudonym, segment, index, shard, generation }) => ({
      pseudonym: pseudonymId(pseudonym),
      ...{ segment: segmentId(segment), index, shard: shardId(shard), generation },
    }))
    const found = await this.store.standings.findClaims(host.row, claims)
    let lost = 0
    for (const [at, row] of found.entries()) {
      if (row === null || !isOf(row, host.host, claims[at]?.pseudonym ?? '')) continue
      const { segmentRow, index, generation } = row
      if (await this.store.segments.saveLost(segmentRow, { index, hostRow: host.row, generation })) lost++
    }
    return lost
  }
}

function isOf(row: ClaimedRow, host: HostId, pseudonym: string): boolean {
  return pseudonymOf(driveId(row.drive), host) === pseudonym
}
