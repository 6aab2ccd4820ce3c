/** What a doctor looked at, and what to do about it. `warn`: it works, and could be better; `fail`: it does not. */
import { AppError } from '../base/errors.js'
import { type ExitCode, exitCodes } from './exit-codes.js'

export interface Check {
  name: string
  state: 'ok' | 'warn' | 'fail'
  detail: string
  /** What to do; of no use when all is well. */
  hint?: string
}

const MARKS = { ok: 'ok  ', warn: 'warn', fail: 'BAD ' } as const

export function linesOfChecks(checks: readonly Check[]): string[] {
  return checks.flatMap(({ name, state, detail, hint }) => [
    `${MARKS[state]} ${name}: ${detail}`,
    ...(hint !== undefined && state !== 'ok' ? [`       what to do: ${hint}`] : []),
  ])
}

export function exitCodeOfChecks(checks: readonly Check[]): ExitCode {
  return checks.some((one) => one.state === 'fail') ? exitCodes.environment : exitCodes.ok
}

/** An expected failure as the detail and the hint of a check; anything else is thrown on. */
export function explain(error: unknown): { detail: string; hint?: string } {
  if (!(error instanceof AppError)) throw error
  return { detail: `${error.message} [${error.code}]`, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}
