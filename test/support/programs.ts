/** Programs that tests run, and processes that they look at. */
import { type ChildProcess, execFile } from 'node:child_process'
import fs from 'node:fs'
import fsp from 'node:fs/promises'
import { createInterface } from 'node:readline'

export const PROGRAM_MS = 120_000

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Looking may start a program: then three quarters of the time are left to what is looked at. */
export function pauseMsAfter(lookMs: number): number {
  return Math.min(1_000, Math.max(50, 3 * lookMs))
}

/** Polls until it holds; throws after `timeoutMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const endsAt = performance.now() + timeoutMs
  for (let atMs = performance.now(); atMs < endsAt; atMs = performance.now()) {
    if (await holds()) return
    await sleep(pauseMsAfter(performance.now() - atMs))
  }
  throw new Error(`${what}: not within ${timeoutMs / 1000} s`)
}

/** A program to its end, killed when it takes too long (status -1). Never runs on this thread what may touch a mount. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; timeoutMs?: number } = {},
): Promise<Ran> {
  const { timeoutMs = PROGRAM_MS, ...rest } = options
  return new Promise((resolve) => {
    const settings = { ...rest, timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: 256 << 20 }
    const child = execFile(program, args, settings, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, stdout, stderr })
    })
  })
}

/** True while the process is there (a zombie is not). */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  return new Promise((resolve) => lines.once('line', resolve))
}

export async function readProc(pid: string, name: string): Promise<string> {
  try {
    return await fsp.readFile(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
