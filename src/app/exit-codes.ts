/**
 * What the exit code of every command means. Scripts and service units rely on these numbers: they never change
 * meaning. One table maps the code of an expected failure to its exit code; a test holds it complete.
 */
import { AppError } from '../base/errors.js'

export const exitCodes = {
  ok: 0,
  /** A bug: something that nobody foresaw. The stack is printed. */
  bug: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** Bridge or hosts cannot be reached; trying later may help. */
  unreachable: 3,
  /** Wrong phrase or passphrase, a token or signature that is not accepted, a plan that is used up. */
  refused: 4,
  /** This machine: fuse missing, mountpoint unfit, folder unwritable, disk full. */
  environment: 5,
  /** What was named does not exist. */
  notFound: 6,
  /** Bytes, a database or a chain that are damaged, forked or rolled back. */
  damaged: 7,
  /** Somebody else holds it, or it took too long. */
  busy: 8,
  /** Stopped by Ctrl-C before it was done. */
  interrupted: 130,
  /** Stopped by SIGTERM before it was done. */
  terminated: 143,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
type Meaning = keyof typeof exitCodes

const codesByMeaning: Partial<Record<Meaning, readonly string[]>> = {
  usage: ['usage'],
  unreachable: [],
  refused: [],
  environment: [],
  notFound: [],
  damaged: [],
  busy: [],
}

const exitCodeOfCode: ReadonlyMap<string, ExitCode> = new Map(
  Object.entries(codesByMeaning).flatMap(([meaning, codes]) =>
    codes.map((code): [string, ExitCode] => [code, exitCodes[meaning as Meaning]]),
  ),
)

/** Which exit code a failure with this code ends in, or undefined when nobody decided that yet. */
export function exitCodeForCode(code: string): ExitCode | undefined {
  return exitCodeOfCode.get(code)
}

/** Anything but an expected failure is a bug. */
export function exitCodeFor(error: unknown): ExitCode {
  if (!(error instanceof AppError)) return exitCodes.bug
  return exitCodeForCode(error.code) ?? exitCodes.bug
}
