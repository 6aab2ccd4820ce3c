/**
 * The POSIX suite: what a file system promises by POSIX.1-2017 and the Linux manual pages, in cases that know nothing of the door
 * behind the folder they get. Each runs twice, as root and as an ordinary user, each time in a folder of its own.
 *
 * A weaker door names what it does not keep: clauses of docs/semantics.md, wholly or for some cases. Those cases run all
 * the same; their failures count as deviations, and a case that is named and does not deviate is a failure, so the list stays true.
 */
import fs from 'node:fs'
import path from 'node:path'
import { Hand } from './hand.js'
import { Actor, Count, Scene, type SetReadOnly } from './scene.js'

export type ClauseId = `S-${number}`

export interface Case {
  readonly clause: ClauseId
  /** A sentence. */
  readonly name: string
  run(scene: Scene): Promise<void>
}

export interface Family {
  readonly name: string
  readonly cases: readonly Case[]
}

export interface Deviation {
  readonly clause: ClauseId
  /** Names of cases; all of the clause when absent. */
  readonly cases?: readonly string[]
  readonly why: string
  /** A race: it may show or not. */
  readonly sometimes?: boolean
}

export interface Door {
  readonly name: string
  /** A folder of the mount, root's. */
  readonly folder: string
  readonly deviations: readonly Deviation[]
  /** Cases that take this door minutes, or that one user asks for both. */
  readonly leavesOut?: readonly string[]
  readonly setReadOnly?: SetReadOnly
}

export const ORDINARY = 65_534
const STRANGER = 65_533
/** The ordinary user is in it besides its own. */
export const SECOND_GROUP = 1_234

export interface CaseResult {
  readonly family: string
  readonly clause: ClauseId
  readonly name: string
  readonly passed: number
  readonly failures: readonly string[]
  readonly deviates: Deviation | undefined
  readonly tookMs: number
}

export class SuiteRun {
  readonly results: CaseResult[] = []
  private readonly door: Door
  private readonly uid: number
  private readonly count = new Count()
  private readonly hands: Hand[]
  private readonly scene: Scene
  private folders = 0

  constructor(door: Door, uid: number) {
    this.door = door
    this.uid = uid
    const groups = uid === 0 ? [] : [uid, SECOND_GROUP]
    const me = new Hand(uid, uid, groups)
    const twin = new Hand(uid, uid, groups)
    const other = new Hand(STRANGER, STRANGER)
    const root = new Hand(0, 0)
    this.hands = [me, twin, other, root]
    const actor = (name: string, hand: Hand) => new Actor(name, hand, this.count)
    const actors = { me: actor('I', me), twin: actor('my twin', twin), other: actor('another user', other) }
    this.scene = new Scene({ ...actors, root: actor('root', root) }, this.count, door.setReadOnly)
  }

  async run(family: Family): Promise<readonly CaseResult[]> {
    const from = this.results.length
    for (const one of family.cases) {
      if (this.door.leavesOut?.includes(one.name)) continue
      const startedMs = performance.now()
      await this.begin()
      const passedBefore = this.count.passed
      try {
        await one.run(this.scene)
      } catch (error) {
        this.count.failures.push(error instanceof Error ? error.message : String(error))
      }
      const { clause, name } = one
      const failures = this.count.failures.splice(0)
      const deviates = this.deviation(one)
      const passed = this.count.passed - passedBefore
      this.results.push({
        family: family.name,
        clause,
        name,
        passed,
        failures,
        deviates,
        tookMs: performance.now() - startedMs,
      })
    }
    return this.results.slice(from)
  }

  /** `N passed, M failed` with the door and the user. */
  summary(): string {
    const sum = (of: (one: CaseResult) => number) => this.results.reduce((total, one) => total + of(one), 0)
    const failed = sum((one) => (one.deviates ? 0 : one.failures.length))
    const deviating = sum((one) => (one.deviates ? one.failures.length : 0))
    const more = deviating > 0 ? `, ${deviating} deviate as its door says` : ''
    return `${this.door.name}, uid ${this.uid}: ${this.passed} passed, ${failed} failed${more}`
  }

  get passed(): number {
    return this.count.passed
  }

  async end(): Promise<void> {
    await Promise.all(this.hands.map((hand) => hand.end()))
  }

  private async begin(): Promise<void> {
    const folder = path.join(this.door.folder, `${this.uid}-${++this.folders}`)
    await fs.promises.mkdir(folder, { mode: 0o755 })
    await fs.promises.chown(folder, this.uid, this.uid)
    for (const hand of this.hands) {
      const { errno } = await hand.ask('begin', [folder])
      if (errno !== undefined) throw new Error(`a hand cannot begin in ${folder}: ${errno}`)
    }
  }

  private deviation(one: Case): Deviation | undefined {
    const named = (deviation: Deviation) => deviation.cases === undefined || deviation.cases.includes(one.name)
    return this.door.deviations.find((deviation) => deviation.clause === one.clause && named(deviation))
  }
}
