/** What every refusal of the command line has in common, checked on the real program: with --json and in words. */
import path from 'node:path'
import type { Test } from 'tap'
import type { Lab } from './drive-process.js'
import { openRoot } from './open-copy.js'
import type { Ran } from './programs.js'
import { runProgram } from './programs.js'

export interface Refusal {
  code: string
  exitCode: number
  /** In the message, the reason or the advice. */
  says?: RegExp
}

export interface Report {
  code: string
  message: string
  exitCode: number
  why?: string
  hint?: string
}

/** Runs `words`; it must fail with exactly one object on stdout, which says what happened and what to do. */
export async function expectRefusal(t: Test, lab: Lab, words: readonly string[], wanted: Refusal): Promise<Report> {
  return checkRefusal(t, await lab.shardrive([...words, '--json'], 30_000), wanted, words.join(' '))
}

/** The same as another user, or after a few words of shell (`before`). */
export async function expectRefusalOf(
  t: Test,
  lab: Lab,
  words: readonly string[],
  wanted: Refusal,
  how: { uid?: number; shell?: string; env?: NodeJS.ProcessEnv },
): Promise<Report> {
  return checkRefusal(t, await runAs(lab, [...words, '--json'], how), wanted, words.join(' '))
}

export function runAs(
  lab: Lab,
  words: readonly string[],
  how: { uid?: number; shell?: string; env?: NodeJS.ProcessEnv },
): Promise<Ran> {
  const { uid, shell = '', env = {} } = how
  const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  const script = `${shell} exec "$0" "$@"`
  const main = path.join(uid === undefined ? process.cwd() : openRoot(), 'dist/main.js')
  const program = ['bash', '-c', script, ...user, process.execPath, main, ...words]
  const [first = '', ...rest] = program
  return runProgram(first, rest, { env: { ...lab.env, ...env }, timeoutMs: 30_000 })
}

function checkRefusal(t: Test, ran: Ran, wanted: Refusal, name: string): Report {
  const lines = ran.stdout.trimEnd().split('\n')
  t.equal(lines.length, 1, `${name}: one object\n${ran.stdout}${ran.stderr}`)
  const { error } = JSON.parse(lines[0] || '{"error":{}}') as { error: Report }
  t.equal(error.code, wanted.code, `${name}: ${error.message}`)
  t.equal(ran.status, wanted.exitCode, `${name}: exit code`)
  t.equal(error.exitCode, wanted.exitCode)
  t.ok(error.hint, `${name}: says what to do`)
  t.notMatch(ran.stderr, /\n {4}at /, `${name}: no stack`)
  if (wanted.says) t.match(`${error.message} / ${error.why ?? ''} / ${error.hint ?? ''}`, wanted.says, name)
  return error
}
