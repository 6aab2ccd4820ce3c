/** A drive without a network in a process of its own, and programs run on it, for tests of what they see. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export interface VfsMount {
  readonly state: string
  readonly mount: string
  readonly child: ChildProcess
  /** Takes no changes, or takes them again. */
  setReadOnly(on: boolean): Promise<void>
  /** Ends with SIGTERM; the lines it said (findings of fsck), its exit code. */
  stop(): Promise<{ lines: string[]; code: number | null }>
  kill(): Promise<void>
}

const CHILD = path.resolve('dist-test/programs/vfs-child.js')

export type DoorName = 'native' | 'fuse-native'

export async function startDrive(folder: string, door: DoorName = 'native'): Promise<VfsMount> {
  const state = path.join(folder, 'state')
  const mount = path.join(folder, 'mnt')
  fs.mkdirSync(state, { recursive: true })
  try {
    fs.mkdirSync(mount)
  } catch (error) {
    // A dead mount in its place is there, and says that it is not.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const child = spawn(process.execPath, [CHILD, state, mount, door], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const ended = once(child, 'exit') as Promise<[number | null]>
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  await new Promise<void>((resolve, reject) => {
    reader.on('line', (line) => (line === 'ready' ? resolve() : lines.push(line)))
    ended.then(() => reject(new Error(`the drive ended: ${lines.join('\n')}`)), reject)
  })
  return {
    ...{ state, mount, child },
    setReadOnly: async (on) => {
      child.kill('SIGUSR2')
      const line = await new Promise((resolve) => reader.once('line', resolve))
      if (line !== `read-only: ${on ? 'SIGUSR2' : null}`) throw new Error(`the drive says: ${line}`)
    },
    stop: async () => {
      if (child.exitCode === null) child.kill('SIGTERM')
      const [code] = await ended
      return { lines, code }
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Mounted for one test; unmounted, checked and removed after it. */
export async function driveOf(t: Test, door: DoorName = 'native'): Promise<VfsMount> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-vfs-'))
  const drive = await startDrive(folder, door)
  t.teardown(async () => {
    const { lines, code } = await drive.stop()
    if (code !== 0) t.fail(`fsck after the test: ${lines.join('; ')} (exit ${code})`)
    fs.rmSync(folder, { recursive: true, force: true })
  })
  return drive
}

/** Runs a shell script with `set -e` in a folder of the mount; what it printed, or an error with its stderr. */
export function shell(cwd: string, script: string, timeoutMs = 120_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, HOME: cwd, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }
    const options = { cwd, env, timeout: timeoutMs, maxBuffer: 64 << 20 }
    execFile('bash', ['-euo', 'pipefail', '-c', script], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`))
      else resolve(stdout)
    })
  })
}

/** A tree with what copies like to lose: modes, times, links, sparse files, odd names, attributes. */
export const TREE = `mkdir -p tree/deep/er && cp -r /usr/share/doc/bash* tree/ 2>/dev/null || true
  head -c 300000 /dev/urandom > tree/bytes; ln tree/bytes tree/deep/hard; ln -s ../bytes tree/deep/soft; ln -s nowhere tree/broken
  printf x > "tree/$(printf 'caf\\351')"; printf x > 'tree/ name with space'; printf hole | dd of=tree/sparse bs=1 seek=5000000 status=none
  touch -d '1969-07-20 20:17:40.123456789 UTC' tree/bytes; touch -d '2001-02-03 04:05:06.7 UTC' tree/deep/er
  chmod 4755 tree/sparse; chmod 1777 tree/deep/er; mkfifo tree/fifo; setfattr -n user.colour -v blue tree/bytes`
