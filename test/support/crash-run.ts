/**
 * Lives of one drive, made from a seed: each starts it (with a failpoint, or without), looks whether all is there that the lives
 * before had left, works on it, and ends with SIGKILL: at the failpoint, at a moment of its own, or in the middle of a clean stop. The
 * next life looks at what this one has left, against the accounts that were kept outside of the drive.
 */
import path from 'node:path'
import { STEP_PLANS } from './crash-plans.js'
import type { Point } from './crash-points.js'
import { Work } from './crash-work.js'
import { Worker } from './crash-worker.js'
import { Dice } from './dice.js'
import { sleep } from './programs.js'

export interface CrashDrive {
  readonly mount: string
  readonly isDead: boolean
  /** Dead by SIGKILL. */
  readonly isKilled: boolean
  /** Resolves when it serves; fails when it dies before, or does not start. */
  start(failpoint: string): Promise<void>
  kill(): Promise<void>
  /** Asks it to end and waits; the exit code or signal. */
  stop(): Promise<number | string>
  /** Resolves when it has died; or after `withinMs`. */
  died(withinMs: number): Promise<void>
  /** What fsck finds, and how many inodes the ledger counts. */
  check(): Promise<{ findings: unknown[]; files?: number }>
  /** Dead: puts its ledger back to the version before this one. */
  age?(): void
  /** Runs beside a work: what makes a drive publish, for example. */
  beside?(work: Promise<unknown>): Promise<void>
}

export interface Life {
  point: Point
  workload: string
  count: number
}

export interface Outcome {
  point: string
  workload: string
  /** It died at the failpoint, and not because the test ended it. */
  isHit: boolean
  losses: string[]
  findings: unknown[]
}

export interface Pace {
  /** Of the steps of a work. */
  share: number
  /** Between two steps. */
  pauseMs: number
}

/** Lives whose folders are kept and looked at again. */
const LIVES_KEPT = 1
/** A second writer beside the first one. */
const TWO_AT_ONCE = new Set(['small', 'appends'])
/** A busy machine takes its time to end a process. */
const DYING_MS = 5_000
/** What is idle looks after itself every ten seconds; on a busy machine it comes late. */
const IDLE_MS = 25_000
const GONE = /ENOTCONN|ECONNABORTED|EIO|ENODEV|ended before it answered/

export class CrashRun {
  private readonly drive: CrashDrive
  private readonly folder: string
  private readonly dice: Dice
  private readonly workers = [new Worker(), new Worker()]
  /** Of the last life, not looked at yet. */
  private fresh: Work[] = []
  private kept: Work[][] = []
  /** Folders that nobody looks at any more; a life that is killed early leaves them to the next one. */
  private leaving: string[] = []
  private life = 0
  /** Its failpoint. */
  private until = ''
  private readonly pace: Pace
  readonly outcomes: Outcome[] = []

  constructor(drive: CrashDrive, folder: string, seed: number, pace: Pace = { share: 1, pauseMs: 0 }) {
    this.pace = pace
    this.drive = drive
    this.folder = folder
    this.dice = new Dice(seed)
  }

  get losses(): string[] {
    return this.outcomes.flatMap(({ point, workload, losses, findings }, at) =>
      [...losses, ...findings.map((one) => JSON.stringify(one))].map(
        (one) => `life ${at + 1} (${workload} until ${point}): ${one}`,
      ),
    )
  }

  /** Where it stands. */
  describe(): string {
    const { point, workload } = this.last ?? { point: 'nothing', workload: '' }
    return `life ${this.life} (until ${this.until || 'any moment'}), after ${workload} until ${point}`
  }

  /** One kill. What it cost shows in the next life, or in finish(). */
  async live(life: Life): Promise<void> {
    this.life++
    const { point, count, workload } = life
    this.until = point.name
    if (point.when === 'upgrade') this.drive.age?.()
    const hasDied = await this.begin(point.name === '' ? '' : `${point.name}:${count}`)
    const outcome: Outcome = { point: point.name || 'any', workload, isHit: hasDied, losses: [], findings: [] }
    this.outcomes.push(outcome)
    if (hasDied) return
    await this.work(life)
    if (this.drive.isDead) {
      outcome.isHit = this.drive.isKilled
      return
    }
    if (point.when === 'stop') outcome.isHit = (await this.drive.stop()) === 'SIGKILL'
    else await this.drive.kill()
  }

  /** Starts once more and looks at what the last life has left. */
  async look(): Promise<void> {
    if (this.drive.isDead) await this.begin('')
  }

  /** Looks, and ends the drive cleanly. */
  async finish(): Promise<void> {
    await this.look()
    const code = await this.drive.stop()
    if (code !== 0) this.last?.losses.push(`the drive ended with ${code}`)
    await this.end()
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((one) => one.end()))
  }

  private get last(): Outcome | undefined {
    return this.outcomes.at(-1)
  }

  /** Starts, and looks. True: it died at that; the next life looks. */
  private async begin(failpoint: string): Promise<boolean> {
    try {
      await this.drive.start(failpoint)
      await this.lookAround()
      return false
    } catch (error) {
      await this.drive.died(GONE.test((error as Error).message) ? DYING_MS : 0)
      if (failpoint === '' || !this.drive.isKilled) throw error
      return true
    }
  }

  private async lookAround(): Promise<void> {
    const [worker] = this.workers as [Worker, Worker]
    const { mount } = this.drive
    const { findings, files } = await this.drive.check()
    const losses = await Work.look(this.fresh, worker, mount)
    for (const works of this.kept) for (const one of works) losses.push(...(await one.lookAgain(worker, mount)))
    this.last?.losses.push(...losses)
    this.last?.findings.push(...findings)
    if (this.fresh.length > 0) this.kept.push(this.fresh)
    this.fresh = []
    // Programs that are looked at mend and remove files of theirs.
    const isQuiet = this.kept.flat().every(({ facts }) => STEP_PLANS.includes(facts.workload))
    if (files !== undefined && losses.length === 0 && isQuiet) await this.countFiles(worker, files)
    if (losses.length > 0) throw new Error(losses.join('; '))
  }

  /** What a crash left of open files is freed at the start: the ledger has no file that nobody sees. */
  private async countFiles(worker: Worker, files: number): Promise<void> {
    const { inodes } = await worker.ask({ inodes: this.drive.mount })
    if (inodes !== files) this.last?.findings.push({ code: 'orphans', message: `${files} files, ${inodes} are seen` })
  }

  private async work({ point, workload }: Life): Promise<void> {
    const { mount } = this.drive
    const [first, second] = this.workers as [Worker, Worker]
    const old = this.kept.splice(0, Math.max(0, this.kept.length - LIVES_KEPT)).flat()
    this.leaving.push(...old.map(({ facts }) => path.join(mount, facts.folder)))
    const seeds = [this.dice.roll(1, 2 ** 31), this.dice.roll(1, 2 ** 31)]
    const killAt = this.dice.roll(1, 60)
    const delayMs = this.dice.roll(0, 30)
    const make = (at: number) =>
      new Work(
        {
          workload,
          seed: seeds[at] as number,
          steps: Math.ceil((STEPS[workload] ?? 100) * this.pace.share),
          folder: `life-${this.life}-${at}`,
          pauseMs: this.pace.pauseMs,
        },
        this.folder,
      )
    this.fresh = [make(0), ...(TWO_AT_ONCE.has(workload) ? [make(1)] : [])]
    // Lives that were killed early have left a full disk behind them.
    if (workload === 'flood') await this.removeLeaving(first)
    const done = Promise.all([...this.fresh.map((work, at) => work.run(at === 0 ? first : second, mount))])
    const removing = done.then(() => this.removeLeaving(first)).catch(() => undefined)
    const killing = point.name === '' ? this.killAfter(killAt, delayMs, done) : Promise.resolve()
    await this.drive.beside?.(done)
    const [ends] = await Promise.all([done, killing])
    await removing
    // Its connection to the kernel ends a moment before it does.
    const waitMs = ends.includes(false) ? DYING_MS : point.when === 'idle' ? IDLE_MS : 0
    if (point.name !== '' && !this.drive.isDead) await this.drive.died(waitMs)
  }

  private async removeLeaving(worker: Worker): Promise<void> {
    await worker.ask({ remove: this.leaving })
    this.leaving = []
  }

  /** At a moment of no failpoint. */
  private async killAfter(steps: number, delayMs: number, done: Promise<unknown>): Promise<void> {
    let isOver = false
    void done.then(() => {
      isOver = true
    })
    const begun = () => this.fresh.reduce((sum, one) => sum + one.begunSteps(), 0)
    while (!isOver && begun() < steps) await sleep(2)
    await sleep(delayMs)
    await this.drive.kill()
  }
}

/** Of one life; those of programs are transactions and commits. */
const STEPS: Record<string, number> = { sqlite: 40, git: 5, large: 130, small: 90, appends: 90, copies: 60, flood: 700 }
