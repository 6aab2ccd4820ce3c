/** Why nothing may be changed now, as one line that passes through answers and status (it ends with its code), and what a caller is told of it. */
import { AppError, codeOf } from '../../base/errors.js'

const FULL = '(no-space)'

export function reasonOf(error: unknown): string {
  return `${error instanceof Error ? error.message : String(error)} (${codeOf(error)})`
}

/** A full disk is told as that: it passes, and programs know what to do about it. */
export function refusalOf(reason: string): AppError {
  if (!reason.endsWith(FULL)) return new AppError('read-only', reason)
  return new AppError('no-space', reason, { retry: 'later', hint: 'free some disk space where the state directory is' })
}
