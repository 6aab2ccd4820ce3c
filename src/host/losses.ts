/**
 * Shards that this host knows to be damaged or gone, told to the bridge in its own name: that costs a quarter of a lie that an audit
 * finds. Only what the bridge has taken leaves the list; telling twice counts once.
 */
import type { LossesRequest } from '../wire/host-api.js'
import type { Loss } from './ledger/types.js'

type Told = LossesRequest['losses'][number]

export interface LossesParts {
  /** Of the list, some. */
  losses: (limit: number) => Loss[]
  settle: (losses: Loss[]) => Promise<void>
  tell: (losses: Told[]) => Promise<void>
}

/** What one call takes. */
const LOSSES_MAX = 1_000
/** In one round: a disk that lost more than this has other troubles first. */
const BATCHES_MAX = 100

export class Losses {
  private readonly parts: LossesParts

  constructor(parts: LossesParts) {
    this.parts = parts
  }

  /** How many were told. Rejects with what the call rejects with; what was told before it stays told. */
  async tellNew(): Promise<number> {
    let told = 0
    for (let batch = 0; batch < BATCHES_MAX; batch++) {
      const losses = this.parts.losses(LOSSES_MAX)
      if (losses.length === 0) break
      await this.parts.tell(losses.map(toldOf))
      await this.parts.settle(losses)
      told += losses.length
    }
    return told
  }
}

function toldOf({ pseudonym, segment, index, shard, generation }: Loss): Told {
  return { pseudonym, segment, index, shard, generation }
}
