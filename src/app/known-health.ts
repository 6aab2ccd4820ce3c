/**
 * What the bridge last said of how many shards of each segment are stored, for user.shardrive.health: the answer comes from
 * memory, and the bridge is asked behind it. Nobody waits: file managers ask this of every file that they show. `unknown`: the
 * bridge has not said anything since the mount.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { SegmentId } from '../model/ids.js'
import type { HealthReply } from '../wire/api.js'

export interface KnownHealthParts {
  ask(): Promise<HealthReply>
  clock: Clock
}

/** A program that looks at every file asks the bridge no more often. */
const FRESH_MS = 2_000

export class KnownHealth {
  private readonly parts: KnownHealthParts
  private short: Map<string, { stored: number; n: number }> | null = null
  private askedAtMs = Number.NEGATIVE_INFINITY
  private isAsking = false

  constructor(parts: KnownHealthParts) {
    this.parts = parts
  }

  /** One line for all segments of a file. What nobody calls short was stored as widely as the bridge wanted. */
  describe(segments: readonly SegmentId[]): string {
    if (segments.length === 0) return 'local'
    this.refresh()
    const { short } = this
    if (short === null) return 'unknown'
    const worst = segments.flatMap((one) => short.get(one) ?? []).sort((a, b) => a.stored - b.stored)[0]
    return worst === undefined ? 'stored' : `stored, ${worst.stored} of ${worst.n}`
  }

  /** Asks behind the caller's back, unless it was asked just now. */
  refresh(): void {
    const nowMs = this.parts.clock.monotonicMs()
    if (this.isAsking || nowMs - this.askedAtMs < FRESH_MS) return
    this.askedAtMs = nowMs
    this.isAsking = true
    void this.load().finally(() => {
      this.isAsking = false
    })
  }

  private async load(): Promise<void> {
    try {
      const { short } = await this.parts.ask()
      this.short = new Map(short.map((one) => [one.segment, one]))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
    }
  }
}
