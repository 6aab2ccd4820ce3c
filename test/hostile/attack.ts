/**
 * Gives a target changed input, thousands of times. Each ends as it should: taken, or refused with an AppError of a code that
 * belongs there; soon, in bounded memory, without a change of what the target keeps, and without a word of a secret.
 *
 * Every input is made from the seed, the target's name and its number alone, so one can be had again by itself:
 *
 *     SEED=1 ONLY='token put' AT=1234 npm run t -- test/hostile
 *
 * and a long run (test/long) can go on where it stood: SEED=1 ONLY='token put' FROM=50000.
 */
import { getHeapStatistics } from 'node:v8'
import type { Test } from 'tap'
import { AppError } from '../../src/base/errors.js'
import { Dice, testSeed } from '../support/dice.js'
import { LeakSearch } from '../support/leak-search.js'
import { type Opened, spoilBytes, type Target } from './target.js'

/** Inputs a target in `npm test`; enough for every way of change at every early place of a format. */
const COUNT = 2_000
/** One input: a thousand times what the slowest takes, so that a busy machine is no hang. */
const HANG_MS = 20_000
/** Memory that one input may cost, whatever numbers it holds; the largest honest body is 9 MB. */
const COST_BYTES_MAX = 64 * 1_048_576
/** An error is a line for a person and for a log. */
const TEXT_CHARS_MAX = 4_096
const FAILURES_SHOWN = 3
/** A long run says where it stands. */
const TOLD_EVERY = 10_000
const SHOWN_BYTES = 400
/** Enough to find the place; whole stacks of a million errors cost more than all the rest. */
const STACK_FRAMES = 4
/** One in so many at least: changes that never matter prove nothing. */
const LEAST_REFUSED = 50

export interface Plan {
  seed: number
  from: number
  count: number
  /** Part of the names of the targets that are meant; all without it. */
  only: string | undefined
  at: number | undefined
}

export function planOf(env: NodeJS.ProcessEnv, count = COUNT): Plan {
  const numberOf = (text: string | undefined) => (text === undefined ? undefined : Number(text))
  return {
    seed: testSeed(),
    from: numberOf(env.FROM) ?? 0,
    count: numberOf(env.COUNT) ?? count,
    only: env.ONLY,
    at: numberOf(env.AT),
  }
}

export function attackAll(t: Test, targets: readonly Target[], plan: Plan): void {
  t.comment(`SEED=${plan.seed} COUNT=${plan.count}`)
  for (const target of targets) {
    if (plan.only !== undefined && !target.name.includes(plan.only)) continue
    t.test(target.name, async (t) => {
      const opened = await target.open()
      try {
        await new Attack(target.name, opened, plan).run(t)
      } finally {
        await opened.close?.()
      }
    })
  }
}

class Attack {
  private readonly name: string
  private readonly target: Opened
  private readonly plan: Plan
  private readonly secrets = new LeakSearch()
  private readonly failures: string[] = []
  /** Texts that were looked at: most errors say the same. */
  private readonly seenTexts = new Set<string>()
  private at = 0
  private refused = 0

  constructor(name: string, target: Opened, plan: Plan) {
    this.name = name
    this.target = target
    this.plan = plan
    for (const [number, secret] of (target.secrets ?? []).entries()) this.secrets.add(`secret ${number}`, secret)
  }

  async run(t: Test): Promise<void> {
    const { samples } = this.target
    for (const sample of samples) await this.target.take(Buffer.from(sample), true)
    const { at, from, count } = this.plan
    const [first, end] = at === undefined ? [from, count] : [at, at + 1]
    await this.withoutHang(() => this.takeAll(t, first, end))
    t.same(this.failures, [])
    t.same(this.secrets.inBytes(Buffer.from(this.target.said?.() ?? '')), [], 'nothing secret was logged')
    if (at !== undefined) return
    t.same((await this.target.conclude?.()) ?? [], [])
    if (this.target.taken === 'always') t.equal(this.refused, 0)
    else
      t.ok(
        this.refused > (this.target.taken === 'mostly' ? 0 : (end - first) / LEAST_REFUSED),
        `${this.refused} of ${end - first} refused`,
      )
  }

  /** Waits only where the target does: a promise for each of a million inputs would cost more than they do. */
  private async takeAll(t: Test, first: number, end: number): Promise<void> {
    const stackFrames = Error.stackTraceLimit
    Error.stackTraceLimit = STACK_FRAMES
    for (this.at = first; this.at < end && this.failures.length < FAILURES_SHOWN; this.at++) {
      if (this.at > first && this.at % TOLD_EVERY === 0) t.comment(`${this.at} of ${end}`)
      const input = this.inputAt(this.at)
      const before = this.target.state?.()
      const bytesBefore = memoryBytes()
      const taken = this.take(input)
      const isRefused = taken instanceof Promise ? await taken : taken
      const cost = memoryBytes() - bytesBefore
      if (cost > (this.target.costBytesMax ?? COST_BYTES_MAX)) this.fail(`took ${cost} bytes of memory`)
      if (!isRefused) continue
      this.refused++
      if (this.target.state?.() !== before) this.fail('a refusal changed something')
    }
    Error.stackTraceLimit = stackFrames
  }

  private inputAt(at: number): Buffer {
    const { samples, spoil = spoilBytes } = this.target
    return spoil(new Dice(seedOf(this.plan.seed, this.name, at)), samples)
  }

  /** Whether it was refused. */
  private take(input: Buffer): boolean | Promise<boolean> {
    const accepted = () => {
      if (this.target.taken === 'never') this.fail('was taken')
      return false
    }
    const refused = (error: unknown) => {
      this.judge(error)
      return true
    }
    try {
      const taken = this.target.take(input, false)
      return taken instanceof Promise ? taken.then(accepted, refused) : accepted()
    } catch (error) {
      return refused(error)
    }
  }

  private judge(error: unknown): void {
    if (!(error instanceof AppError)) {
      this.fail(String((error as Error)?.stack ?? error))
      return
    }
    if (!this.target.codes.includes(error.code)) this.fail(`refused with ${error.code}: ${error.message}`)
    const text = textOf(error)
    if (this.seenTexts.has(text)) return
    this.seenTexts.add(text)
    if (text.length > TEXT_CHARS_MAX) this.fail(`an error of ${text.length} characters`)
    for (const found of this.secrets.inBytes(Buffer.from(text))) this.fail(`the error shows ${found}`)
  }

  private fail(why: string): void {
    const input = this.inputAt(this.at)
    const shown = input.length > SHOWN_BYTES ? `${input.toString('hex', 0, SHOWN_BYTES)}...` : input.toString('hex')
    const again = `SEED=${this.plan.seed} ONLY='${this.name}' AT=${this.at}`
    this.failures.push(`${why}\n${again}\n${input.length} bytes: ${shown}`)
  }

  /** Ends with a failure noted, when one input takes too long. */
  private async withoutHang(work: () => Promise<void>): Promise<void> {
    let last = -1
    let timer: NodeJS.Timeout | undefined
    const hang = new Promise<void>((resolve) => {
      timer = setInterval(() => {
        if (this.at === last) {
          this.fail(`no end after ${HANG_MS} ms`)
          resolve()
        }
        last = this.at
      }, HANG_MS)
    })
    await Promise.race([work(), hang])
    clearInterval(timer)
  }
}

/** Of the heap and outside of it; what a collection frees in between only makes a cost look smaller. */
function memoryBytes(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics()
  return heap + outside
}

/** Everything that an error says, and what it says was the cause. */
function textOf(error: AppError): string {
  const parts = [error.message, error.hint ?? '', JSON.stringify(error.details ?? {})]
  let { cause } = error
  for (let depth = 0; cause instanceof Error && depth < 5; depth++) {
    parts.push(cause.message)
    cause = cause.cause
  }
  return parts.join('\n')
}

/** Far apart for neighbours: the dice of two inputs have nothing in common. */
function seedOf(seed: number, name: string, at: number): number {
  let hash = seed >>> 0
  for (const char of `${name}/${at}`) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193) >>> 0
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0
}
