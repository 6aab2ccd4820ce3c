/**
 * From what happened to what it means: five words, five treatments (docs/reputation.md). Pure.
 *
 *   success  every proof fits                     the score rises, the shard is proved
 *   fail     a proof is wrong, a shard not found   lost and repaired; 1, or a quarter when the host says itself that it is damaged
 *   offline  no connection                         the online share falls, nothing else
 *   timeout  connected, and no answer to use       asked again after 6 hours, three times; then it is a failure
 *   unknown  the host says busy, or our own fault  asked again with the next burst; never costs money, suspends at most
 */
import { AppError } from '../../base/errors.js'
import type { Finding } from '../../permits/audit.js'

/** Of a burst that came to no answer. */
export type NoAnswer = 'offline' | 'timeout' | 'unknown'

const NOT_THERE = new Set(['peer-unreachable', 'fingerprint-mismatch'])
/** The connection was there and the challenge may have arrived; `malformed`: what came back is not of the protocol. */
const NOT_ANSWERED = new Set(['timed-out', 'peer-lost', 'malformed'])
/** An answer that is none: of another key, to another challenge, with another body. As good as no answer. */
const NO_ANSWER_OF_USE = new Set(['audit-malformed', 'audit-mismatch', 'audit-signature'])

/** A host's own word for why not (busy, stopped, a code of a newer program) is never held against it by itself. */
function isRemote(error: AppError): boolean {
  return error.details?.remote === true
}

/** What a failed challenge means. */
export function verdictOfError(error: unknown): NoAnswer {
  if (!(error instanceof AppError) || isRemote(error)) return 'unknown'
  if (NOT_THERE.has(error.code)) return 'offline'
  return NOT_ANSWERED.has(error.code) || NO_ANSWER_OF_USE.has(error.code) ? 'timeout' : 'unknown'
}

/** What a failed knock at the door means; null: somebody answered, if only with a refusal. */
export function verdictOfReach(error: unknown): NoAnswer | null {
  if (!(error instanceof AppError)) return 'unknown'
  if (isRemote(error)) return null
  return NOT_THERE.has(error.code) || NOT_ANSWERED.has(error.code) ? 'offline' : 'unknown'
}

/** What each leaf means for its shard. `again`: contained, as a timeout. */
export type ItemVerdict = 'success' | 'fail' | 'admitted' | 'again'

export function verdictOf(finding: Finding): ItemVerdict {
  const verdicts: Record<Finding, ItemVerdict> = {
    proved: 'success',
    wrong: 'fail',
    'not-found': 'fail',
    damaged: 'admitted',
    unreadable: 'again',
  }
  return verdicts[finding]
}

/** For the notice that the host sees. */
export function whyOf(finding: Finding | 'silent'): string {
  const words: Record<typeof finding, string> = {
    proved: 'a leaf was proved',
    wrong: 'a proof was wrong',
    'not-found': 'a shard that it gave a receipt for was not found',
    damaged: 'it said that a shard is damaged',
    unreadable: 'a shard could not be read, three times',
    silent: 'no answer to an audit, three times',
  }
  return words[finding]
}
