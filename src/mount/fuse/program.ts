/** Programs of the system that mount and unmount: found, and run without a shell. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const SYSTEM_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/run/wrappers/bin']
const TIMEOUT_MS = 30_000
const STDERR_MAX = 4096
/** The first descriptor after stdin, stdout and stderr. */
export const COMM_FD = 3

/** The first of these names that PATH or the system's folders have. */
export function findProgram(names: readonly string[]): string | null {
  const folders = [
    ...(process.env.PATH ?? '').split(path.delimiter).filter((p) => path.isAbsolute(p)),
    ...SYSTEM_FOLDERS,
  ]
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name)
      if (isExecutable(file)) return file
    }
  }
  return null
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Outcome {
  readonly status: number | null
  readonly stderr: string
}

/** `commSocket` becomes descriptor COMM_FD of the program. Rejects when it cannot be started. */
export function runProgram(
  program: string,
  words: readonly string[],
  more: { commSocket?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C', ...more.env }
    const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe']
    if (more.commSocket !== undefined) stdio.push(more.commSocket)
    const child = spawn(program, words, { stdio, env, timeout: TIMEOUT_MS })
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(0, STDERR_MAX)
    })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stderr: stderr.trim() }))
  })
}
