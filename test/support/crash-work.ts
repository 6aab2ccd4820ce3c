/** One workload of a crash test in a folder of its own: its account outside of the drive, and what is to be found of it later. */
import fs from 'node:fs'
import path from 'node:path'
import { areOneOrder, durableSteps, readAccount, type StepTimes } from './crash-account.js'
import { misfits, PlanStates, type Shown } from './crash-model.js'
import { planOf, STEP_PLANS } from './crash-plans.js'
import type { Counted } from './crash-programs.js'
import type { Worker } from './crash-worker.js'

export interface WorkFacts {
  workload: string
  seed: number
  steps: number
  /** Below the mount. */
  folder: string
  /** Between two steps. */
  pauseMs: number
}

interface StepRange {
  atLeast: number
  atMost: number
}

/** What one work can have been, as far as its account and the tree say. */
interface Judged {
  work: Work
  times: StepTimes
  range: StepRange
  fits: number[]
}

function judge(works: readonly Work[], until: bigint | null): Judged[] {
  const all = works.map((work) => work.times(until))
  return works.map((work, at) => {
    const times = all[at] as StepTimes
    return { work, times, range: { atLeast: durableSteps(times, all), atMost: times.begun.length }, fits: [] }
  })
}

/** Of each two there must be a pair of states that one order of all operations has. */
function orderOf(judged: readonly Judged[]): string[] {
  const wrong: string[] = []
  for (const [at, a] of judged.entries()) {
    for (const b of judged.slice(at + 1)) {
      const isOne = a.fits.some((x) => b.fits.some((y) => areOneOrder(a.times, x, b.times, y)))
      const names = `${a.work.facts.folder} and ${b.work.facts.folder}`
      if (!isOne) wrong.push(`no order has steps ${a.fits.join(' ')} and ${b.fits.join(' ')} of ${names}`)
    }
  }
  return wrong
}

export class Work {
  readonly facts: WorkFacts
  private readonly log: string
  private states: PlanStates | null = null
  /** What was found after the kill: from then on it stays. */
  private settled: { shown: Shown | null } | null = null

  constructor(facts: WorkFacts, logFolder: string) {
    this.facts = facts
    this.log = path.join(logFolder, `${facts.folder}.account`)
    fs.rmSync(this.log, { force: true })
  }

  private get isSteps(): boolean {
    return STEP_PLANS.includes(this.facts.workload)
  }

  /** True: to its end. False: the drive went away. */
  async run(worker: Worker, mount: string): Promise<boolean> {
    const { folder, ...rest } = this.facts
    const { done } = await worker.ask({ run: { ...rest, folder: path.join(mount, folder), log: this.log } })
    return done === true
  }

  begunSteps(): number {
    return readAccount(this.log).begun.length
  }

  times(until: bigint | null = null): StepTimes {
    return readAccount(this.log, until)
  }

  /** What is wrong with what is there; all of `works` ran at the same time. */
  static async look(works: readonly Work[], worker: Worker, mount: string): Promise<string[]> {
    const wrong: string[] = []
    const judged = judge(works, null)
    for (const one of judged) one.fits = await one.work.fits(worker, mount, one.range, wrong)
    return wrong.length > 0 ? wrong : orderOf(judged)
  }

  /** The same of a tree that was read in another way; all of them are works in steps. `until`: the moment that is asked about. */
  static lookAt(works: readonly Work[], shown: (folder: string) => Shown | null, until: bigint): string[] {
    const wrong: string[] = []
    const judged = judge(works, until)
    for (const one of judged) one.fits = one.work.fitsOf(shown(one.work.facts.folder), one.range, wrong)
    return wrong.length > 0 ? wrong : orderOf(judged)
  }

  /** It was looked at before: nothing of it may have changed since. */
  async lookAgain(worker: Worker, mount: string): Promise<string[]> {
    const { settled } = this
    // Programs change what they look at.
    if (settled === null || !this.isSteps) return []
    const shown = await this.shown(worker, mount)
    return misfits(settled.shown ?? new Map(), shown ?? new Map()).map((one) => `${this.facts.folder}, later: ${one}`)
  }

  private async fits(worker: Worker, mount: string, range: StepRange, wrong: string[]): Promise<number[]> {
    const { workload, folder } = this.facts
    if (!this.isSteps) {
      const { count, problems } = await this.count(worker, mount)
      wrong.push(...problems.map((one) => `${folder}: ${one}`))
      const isFit = count >= range.atLeast && count <= range.atMost
      if (!isFit) wrong.push(`${folder}: ${count} steps of ${workload}, not ${range.atLeast} to ${range.atMost}`)
      return [count]
    }
    const shown = await this.shown(worker, mount)
    this.settled = { shown }
    return this.fitsOf(shown, range, wrong)
  }

  private fitsOf(shown: Shown | null, range: StepRange, wrong: string[]): number[] {
    const { workload, folder, seed } = this.facts
    this.states ??= new PlanStates(planOf(workload, this.facts))
    const { fits, why } = this.states.stepsOf(shown ?? new Map(), range)
    if (fits.length === 0) wrong.push(`${folder} (${workload}, seed ${seed}): ${why}`)
    return fits
  }

  private async shown(worker: Worker, mount: string): Promise<Shown | null> {
    const { found } = await worker.ask({ show: path.join(mount, this.facts.folder) })
    return found === null ? null : new Map(Object.entries(found as Record<string, string>))
  }

  private async count(worker: Worker, mount: string): Promise<Counted> {
    const { workload, folder } = this.facts
    return (await worker.ask({ count: { workload, folder: path.join(mount, folder) } })) as unknown as Counted
  }
}
