/**
 * What the bridge last said of how many shards of each segment are stored, for user.shardrive.health: the answer comes from
 * memory, and the bridge is asked behind it. Only the very first question waits, and not for long.
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
const FIRST_WAIT_MS = 1_000

export class KnownHealth {
  private readonly parts: KnownHealthParts
  private short: Map<string, { stored: number; n: number }> | null = null
  private askedAtMs = Number.NEGATIVE_INFINITY
  private asking: Promise<void> | null = null

  constructor(parts: KnownHealthParts) {
    this.parts = parts
  }

  /** One line for all segments of a file. What nobody calls short was stored as widely as the bridge wanted. */
  async describe(segments: readonly SegmentId[]): Promise<string> {
    if (segments.length === 0) return 'local'
    const asking = this.refresh()
    if (this.short === null) await Promise.race([asking, this.parts.clock.sleep(FIRST_WAIT_MS)])
    const worst = segments.flatMap((one) => this.short?.get(one) ?? []).sort((a, b) => a.stored - b.stored)[0]
    return worst === undefined ? 'stored' : `stored, ${worst.stored} of ${worst.n}`
  }

  private refresh(): Promise<void> {
    if (this.asking !== null) return this.asking
    const nowMs = this.parts.clock.monotonicMs()
    if (nowMs - this.askedAtMs < FRESH_MS) return Promise.resolve()
    this.askedAtMs = nowMs
    this.asking = this.load().finally(() => {
      this.asking = null
    })
    return this.asking
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
