/**
 * The account that a worker of a crash test keeps outside of the drive. A line for each step: `b TIME` before it, then `e TIME`, or
 * `s TIME` when it made everything before it durable. Times are of the monotonic clock, in nanoseconds.
 */
import fs from 'node:fs'

export class Account {
  private readonly fd: number

  constructor(file: string) {
    this.fd = fs.openSync(file, 'a')
  }

  around<T>(isSync: boolean, work: () => T): T {
    this.mark('b')
    const result = work()
    this.mark(isSync ? 's' : 'e')
    return result
  }

  close(): void {
    fs.closeSync(this.fd)
  }

  private mark(sign: string): void {
    fs.writeSync(this.fd, `${sign} ${process.hrtime.bigint()}\n`)
  }
}

export interface StepTimes {
  /** Of each step that was begun. */
  begun: bigint[]
  /** Of each step that ended; at most one fewer. */
  ended: bigint[]
  /** Begun, of each step that ended and made all before it durable. */
  syncs: bigint[]
}

/** `until`: as the account stood at that moment. */
export function readAccount(file: string, until: bigint | null = null): StepTimes {
  const times: StepTimes = { begun: [], ended: [], syncs: [] }
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : ''
  for (const line of text.split('\n')) {
    if (line === '') continue
    const time = BigInt(line.slice(2))
    if (until !== null && time > until) break
    if (line[0] === 'b') times.begun.push(time)
    else times.ended.push(time)
    if (line[0] === 's') times.syncs.push(times.begun.at(-1) as bigint)
  }
  return times
}

/** How many steps of `times` were durable: all that ended before somebody began a sync that ended. */
export function durableSteps(times: StepTimes, all: readonly StepTimes[]): number {
  const last = all.flatMap(({ syncs }) => syncs).reduce((a, b) => (a > b ? a : b), 0n)
  return times.ended.filter((time) => time < last).length
}

/**
 * Whether both may be: a step of one that is there was begun when each step of the other that is not there had not yet ended. Whoever
 * sees all operations in one order sees this.
 */
export function areOneOrder(a: StepTimes, stepsOfA: number, b: StepTimes, stepsOfB: number): boolean {
  return isAllowed(a, stepsOfA, b, stepsOfB) && isAllowed(b, stepsOfB, a, stepsOfA)
}

function isAllowed(there: StepTimes, steps: number, other: StepTimes, otherSteps: number): boolean {
  if (steps === 0) return true
  const missingEnded = other.ended[otherSteps]
  return missingEnded === undefined || missingEnded > (there.begun[steps - 1] as bigint)
}
