/** What a run counts once it is warm. Shares of time are counted in samples. */
export const WAIT_HOURS_MAX = 24 * 60

export class Tally {
  /** Segment-samples with so many good shards; with so many counted ones. */
  readonly good: Float64Array
  readonly counted: Float64Array
  /** Repairs that took so many hours from the first need to full redundancy; the last bin takes what is longer. */
  readonly waitedHours = new Float64Array(WAIT_HOURS_MAX + 1)
  /** Share of the hosts online, by day and by night, one entry a sample. */
  readonly onlineByDay: number[] = []
  readonly onlineByNight: number[] = []
  losses = 0
  repairs = 0
  postponed = 0
  shardsLost = 0
  /** Shards moved by repairs: to the bridge, and to hosts. */
  fetched = 0
  pushed = 0
  hostsGone = 0
  /** Looks at whether a segment can be read at that moment, and how often it could not. */
  looks = 0
  unreadable = 0

  constructor(totalShards: number) {
    this.good = new Float64Array(totalShards + 1)
    this.counted = new Float64Array(totalShards + 1)
  }

  /** Forgets the warm-up. */
  clear(): void {
    this.good.fill(0)
    this.counted.fill(0)
    this.waitedHours.fill(0)
    this.onlineByDay.length = 0
    this.onlineByNight.length = 0
    this.losses = this.repairs = this.postponed = this.shardsLost = this.fetched = this.pushed = this.hostsGone = 0
    this.looks = this.unreadable = 0
  }

  waited(hours: number): void {
    const bin = Math.min(WAIT_HOURS_MAX, Math.round(hours))
    this.waitedHours[bin] = (this.waitedHours[bin] as number) + 1
  }
}

/** Of counts by value: the mean, and the value that `share` of them do not exceed. */
export function meanOf(counts: Float64Array): number {
  let sum = 0
  let all = 0
  for (const [value, count] of counts.entries()) {
    sum += value * count
    all += count
  }
  return all === 0 ? Number.NaN : sum / all
}

export function quantileOf(counts: Float64Array, share: number): number {
  const all = counts.reduce((sum, one) => sum + one, 0)
  let seen = 0
  for (const [value, count] of counts.entries()) {
    seen += count
    if (seen >= share * all && seen > 0) return value
  }
  return Number.NaN
}
