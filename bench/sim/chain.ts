/**
 * One segment as a Markov chain, for what no simulation sees: losses of 1e-11 and below. A state is (d shards gone for good, a shards on
 * hosts that are away but will return, stage of the repair that is under way, 0 for none). A repair begins when n - d - a falls to
 * the threshold, is called off when hosts return before it is done,, takes `repairHours` on average in `stages` exponential stages, and ends in the state without a gap; below k the
 * segment is lost. d never falls between two repairs, so expected times are found state by state, each d and stage by one
 * tridiagonal system of positive terms: small numbers keep their digits.
 */
import { binomial } from './binomial.js'

export interface ChainRates {
  k: number
  n: number
  threshold: number
  /** Of one shard, an hour. */
  lossesHour: number
  awayHour: number
  returnHour: number
  repairHours: number
  stages: number
}

/** Away at once; more than this of one segment is as likely as a loss and counted as if nobody else went. */
const AWAY_MAX = 14
/** What is left after a round is called off with a chance below one half: 60 rounds leave less than a double can hold beside 1. */
const ROUNDS_MAX = 60
const NEGLIGIBLE = 1e-13

export interface Flow {
  /** Expected hours in each state. */
  hours: Float64Array
  /** Expected number of losses, and of repairs done. */
  lost: number
  repaired: number
  /** Shards that those repairs made. */
  made: number
}

export class Chain {
  private readonly rates: ChainRates
  /** d = 0 .. gone - 1 are alive. */
  private readonly gone: number
  private readonly width = AWAY_MAX + 1
  private readonly rows: number
  private readonly diagonal = new Float64Array(AWAY_MAX + 1)
  private readonly amount = new Float64Array(AWAY_MAX + 1)

  constructor(rates: ChainRates) {
    this.rates = rates
    this.gone = rates.n - rates.k + 1
    this.rows = rates.stages + 1
  }

  states(): Float64Array {
    return new Float64Array(this.gone * this.rows * this.width)
  }

  at(d: number, stage: number, a: number): number {
    return (d * this.rows + stage) * this.width + a
  }

  /**
   * From `source` (how likely each state is at the start) until a repair is done or the segment is lost. `hoursOf` says how long a repair
   * takes that finds d shards gone.
   */
  run(source: Float64Array, hoursOf: (d: number) => number = () => this.rates.repairHours): Flow {
    const into = source.slice()
    const flow: Flow = { hours: this.states(), lost: 0, repaired: 0, made: 0 }
    for (let d = 0; d < this.gone; d++) {
      const stageRate = this.rates.stages / hoursOf(d)
      // Repairs that are called off when hosts return lead back to stage 0: again, until next to nothing is left.
      for (let left = this.amountAt(into, d), round = 0; left > 0 && round < ROUNDS_MAX; round++) {
        for (let stage = 0; stage <= this.rates.stages; stage++) this.pass(into, flow, d, stage, stageRate)
        const still = this.amountAt(into, d)
        if (still < left * NEGLIGIBLE) break
      }
    }
    return flow
  }

  private amountAt(into: Float64Array, d: number): number {
    let sum = 0
    for (let at = this.at(d, 0, 0); at < this.at(d + 1, 0, 0); at++) sum += into[at] as number
    return sum
  }

  /** Away shards of the states that exist in this stage: a repair is under way exactly where the count is at the threshold or below. */
  private leastAway(d: number, stage: number): number {
    return stage === 0 ? 0 : Math.max(0, this.rates.n - d - this.rates.threshold)
  }

  private mostAway(d: number, stage: number): number {
    const { n, threshold } = this.rates
    return stage === 0 ? Math.min(AWAY_MAX, n - d - threshold - 1) : Math.min(AWAY_MAX, n - d)
  }

  /** What came into (d, stage, ...) stays there for a while, by elimination (in = out), and goes on. */
  private pass(into: Float64Array, flow: Flow, d: number, stage: number, stageRate: number): void {
    const { n, lossesHour, awayHour, returnHour } = this.rates
    const [least, most] = [this.leastAway(d, stage), this.mostAway(d, stage)]
    const { diagonal, amount } = this
    const ends = stage === 0 ? 0 : stageRate
    for (let a = least; a <= most; a++) {
      const present = n - d - a
      const leaves = a < AWAY_MAX ? present * awayHour : 0
      diagonal[a] = (n - d) * lossesHour + leaves + a * returnHour + ends
      amount[a] = into[this.at(d, stage, a)] as number
      into[this.at(d, stage, a)] = 0
      if (a === least) continue
      const share = ((present + 1) * awayHour) / (diagonal[a - 1] as number)
      diagonal[a] = (diagonal[a] as number) - share * a * returnHour
      amount[a] = (amount[a] as number) + share * (amount[a - 1] as number)
    }
    let hours = 0
    for (let a = most; a >= least; a--) {
      const returned = hours * (a + 1) * returnHour
      hours = ((amount[a] as number) + returned) / (diagonal[a] as number)
      this.spread(into, flow, d, stage, a, hours, ends)
    }
  }

  /** What leaves a state for another d or stage. */
  private spread(
    into: Float64Array,
    flow: Flow,
    d: number,
    stage: number,
    a: number,
    hours: number,
    stageRate: number,
  ): void {
    const { n, lossesHour, awayHour, returnHour, stages } = this.rates
    const at = this.at(d, stage, a)
    flow.hours[at] = (flow.hours[at] as number) + hours
    const present = n - d - a
    this.add(into, flow, d + 1, stage, a, hours * present * lossesHour)
    if (a > 0) this.add(into, flow, d + 1, stage, a - 1, hours * a * lossesHour)
    if (stage === 0) {
      if (a === this.mostAway(d, 0) && a < AWAY_MAX) this.add(into, flow, d, 1, a + 1, hours * present * awayHour)
      return
    }
    if (a > 0 && a === this.leastAway(d, stage)) this.add(into, flow, d, 0, a - 1, hours * a * returnHour)
    if (stage < stages) this.add(into, flow, d, stage + 1, a, hours * stageRate)
    else {
      flow.repaired += hours * stageRate
      flow.made += hours * stageRate * (d + a)
    }
  }

  private add(into: Float64Array, flow: Flow, d: number, stage: number, a: number, amount: number): void {
    if (d >= this.gone) {
      flow.lost += amount
      return
    }
    const waits = this.rates.n - d - a <= this.rates.threshold
    const to = this.at(d, waits ? Math.max(1, stage) : 0, a)
    into[to] = (into[to] as number) + amount
  }

  /** From a repair to the next, over and over: what an hour brings. */
  steady(): { lossesHour: number; repairsHour: number; madeHour: number; share: Float64Array } {
    const source = this.states()
    source[this.at(0, 0, 0)] = 1
    const flow = this.run(source)
    const cycle = flow.hours.reduce((sum, one) => sum + one, 0)
    return {
      lossesHour: flow.lost / cycle,
      repairsHour: flow.repaired / cycle,
      madeHour: flow.made / cycle,
      share: flow.hours.map((one) => one / cycle),
    }
  }

  /** The steady state after every shard was gone with probability `share` at one moment, and how much of it is lost at once. */
  struck(steady: Float64Array, share: number): { state: Float64Array; lost: number } {
    const { n } = this.rates
    const state = this.states()
    const flow: Flow = { hours: state, lost: 0, repaired: 0, made: 0 }
    for (let d = 0; d < this.gone; d++) {
      for (let stage = 0; stage < this.rows; stage++) {
        for (let a = 0; a < this.width; a++) {
          const weight = steady[this.at(d, stage, a)] as number
          if (weight === 0) continue
          for (let more = 0; more <= n - d; more++) {
            const left = Math.min(a, n - d - more)
            this.add(state, flow, d + more, stage, left, weight * binomial(n - d, more, share))
          }
        }
      }
    }
    return { state, lost: flow.lost }
  }

  /** Share of the time, or of the segments, with so many shards that are not gone. */
  goodShares(steady: Float64Array): Float64Array {
    const shares = new Float64Array(this.rates.n + 1)
    for (let d = 0; d < this.gone; d++) {
      for (let stage = 0; stage < this.rows; stage++) {
        for (let a = 0; a < this.width; a++) {
          const good = this.rates.n - d
          shares[good] = (shares[good] as number) + (steady[this.at(d, stage, a)] as number)
        }
      }
    }
    return shares
  }
}
