/** Mounts of tests: a fresh mount point that is surely taken away again, and programs run on it with a time limit. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import readline from 'node:readline'
import { OTHER_UID, openRoot } from './open-copy.js'

const PROGRAM_TIMEOUT_MS = 20_000
/** An ordinary user; needs no entry in /etc/passwd. */
export const USER = OTHER_UID

/** undefined, or why nothing can be mounted here. */
export function noMounts(): string | false {
  if (process.platform !== 'linux') return 'the door is for Linux'
  if (!fs.existsSync('/dev/fuse')) return 'there is no /dev/fuse'
  if (process.geteuid?.() !== 0) {
    const found = spawnSync('fusermount3', ['--version']).status === 0
    return found ? false : 'neither root nor fusermount3'
  }
  return false
}

interface Teardown {
  teardown(undo: () => void): void
}

/** An empty directory; whatever is mounted there at the end of the test is taken away. */
export function mountPlace(t: Teardown, owner?: number): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-mount-'))
  if (owner !== undefined) fs.chownSync(folder, owner, owner)
  t.teardown(() => {
    for (let i = 0; i < 4 && isMounted(folder); i++) spawnSync('umount', ['-l', folder])
    fs.rmdirSync(folder)
  })
  return folder
}

export function isMounted(folder: string): boolean {
  return fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${folder} `)
}

export interface Ran {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** Runs a program while this process goes on serving its mount. */
export function run(
  program: string,
  args: readonly string[],
  options: { uid?: number; cwd?: string } = {},
): Promise<Ran> {
  const { uid, cwd } = options
  return new Promise((resolve) => {
    const settings = {
      uid,
      gid: uid,
      cwd,
      timeout: PROGRAM_TIMEOUT_MS,
      encoding: 'buffer' as const,
      maxBuffer: 1 << 26,
    }
    const child = execFile(program, args, settings, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, stdout, stderr: stderr.toString() })
    })
  })
}

/** A script for sh with its arguments in $1, $2 ...; returns what it printed, throws when it failed. */
export async function sh(script: string, ...args: string[]): Promise<string> {
  const ran = await run('sh', ['-ec', script, 'sh', ...args])
  if (ran.status !== 0) throw new Error(`${script}: ${ran.status} ${ran.stderr}`)
  return ran.stdout.toString('latin1').trimEnd()
}

export interface DoorProcess {
  readonly child: ChildProcess
  /** The next line that it prints, parsed. */
  next(): Promise<Record<string, unknown>>
  readonly exited: Promise<number | string>
}

/** test/mount/door-child.ts, as another user if given, or started by other programs. */
export function startDoor(
  t: Teardown,
  args: readonly string[],
  how: { uid?: number | undefined; prefix?: readonly string[] } = {},
): DoorProcess {
  const { uid, prefix = [] } = how
  const isOther = uid !== undefined || prefix.length > 0
  const script = path.join(isOther ? openRoot() : process.cwd(), 'dist-test/test/mount/door-child.js')
  const [program = '', ...words] = [...prefix, process.execPath, script, ...args]
  const child = spawn(program, words, { uid, gid: uid, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise<number | string>((resolve) =>
    child.on('exit', (code, signal) => resolve(code ?? signal ?? '')),
  )
  const next = async (): Promise<Record<string, unknown>> => JSON.parse((await lines.next()).value ?? '{}')
  return { child, next, exited }
}
