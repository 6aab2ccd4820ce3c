/** Why nothing may be changed now, as one line that passes through answers and status, and what a caller is told of it. */
import { AppError, codeOf, isCode } from '../../base/errors.js'

const FULL = '(no-space)'
const WAY_OUT = 'bring the drive into a new state directory: shardrive recover --state DIRECTORY'

export function reasonOf(error: unknown): string {
  const reason = `${error instanceof Error ? error.message : String(error)} (${codeOf(error)})`
  return isCode(error, 'database-damaged') ? `${reason}; ${WAY_OUT}` : reason
}

/** A full disk is told as that: it passes, and programs know what to do about it. */
export function refusalOf(reason: string): AppError {
  if (!reason.endsWith(FULL)) return new AppError('read-only', reason)
  return new AppError('no-space', reason, { retry: 'later', hint: 'free some disk space where the state directory is' })
}
