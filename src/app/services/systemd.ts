/** systemd on this machine: is it there, which one, and running its commands. Never through a shell. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { AppError } from '../../base/errors.js'
import type { Scope } from './order.js'

/** `systemctl enable` and its like are done in a second; starting is not waited for. */
const COMMAND_MS = 60_000
const OUTPUT_BYTES_MAX = 1_048_576

/** Whether systemd runs this machine (as sd_booted says), and this user's services. */
export function systemdRuns(scope: Scope): boolean {
  if (scope === 'system') return existsSync('/run/systemd/system')
  const { XDG_RUNTIME_DIR: runtime } = process.env
  return runtime !== undefined && existsSync(path.join(runtime, 'systemd/private'))
}

export function systemctl(scope: Scope, ...words: string[]): string[] {
  return ['systemctl', ...(scope === 'user' ? ['--user'] : []), ...words]
}

/** Null when it cannot be told. */
export async function systemdVersion(): Promise<number | null> {
  const { out } = await run(['systemctl', '--version'])
  const found = /^systemd (\d+)/.exec(out)
  return found === null ? null : Number(found[1])
}

/** `service-manager-failed` with what it said. */
export async function runCommand(words: readonly string[]): Promise<void> {
  const { status, err } = await run(words)
  if (status === 0) return
  throw new AppError('service-manager-failed', `${words.join(' ')} failed: ${err.trim() || `exit code ${status}`}`, {
    hint: 'the files are written; run the command by hand when its fault is mended',
  })
}

/** Properties of a unit, as `systemctl show` tells them; empty when it does not. */
export async function showUnit(scope: Scope, unit: string): Promise<Map<string, string>> {
  const { out } = await run(systemctl(scope, 'show', unit, '--property=ActiveState,SubState,StatusText,NRestarts'))
  return new Map(
    out
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
}

function run(words: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  const [program = '', ...rest] = words
  const options = {
    timeout: COMMAND_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    env: { ...process.env, SYSTEMD_COLORS: '0', LC_ALL: 'C' },
  }
  return new Promise((resolve) => {
    const child = execFile(program, rest, options, (error, out, err) => {
      resolve({ status: child.exitCode ?? -1, out, err: err || (error?.message ?? '') })
    })
  })
}
