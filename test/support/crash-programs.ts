/** Workloads of the crash tests that are programs: a database in SQLite, a repository of git. Each counts what it has promised. */
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Account } from './crash-account.js'

export interface Counted {
  /** Transactions or commits that are there. */
  count: number
  problems: string[]
}

const DATABASE = path.resolve('dist-test/test/support/crash-database-child.js')
export const PROGRAM_WORKLOADS = ['sqlite', 'git']
/** Of a workload that says that the drive went away. */
export const GONE_CODE = 3

export function isGone(folder: string): boolean {
  try {
    // Attributes may be remembered by the kernel, this is not.
    fs.statfsSync(folder)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}

/** True: to its end. False: the drive went away. */
export function databaseWork(folder: string, log: string, seed: number, steps: number): boolean {
  const words = [DATABASE, 'write', folder, log, String(seed), String(steps)]
  // In a process of its own: a mapped page of a drive that has gone is the end of who touches it.
  const ran = spawnSync(process.execPath, words, { encoding: 'utf8' })
  if (ran.status === 0) return true
  if (ran.status === GONE_CODE || ran.signal === 'SIGBUS' || isGone(folder)) return false
  throw new Error(`the database's writer: ${ran.status ?? ran.signal} ${ran.stderr}`)
}

export function repositoryWork(folder: string, account: Account, steps: number): boolean {
  try {
    git(folder, 'init', '-q')
    for (let n = 1; n <= steps; n++) {
      account.around(false, () => {
        fs.writeFileSync(path.join(folder, `f${n % 5}`), `${n}\n`.repeat(n * 40))
        git(folder, 'add', '-A')
        git(folder, 'commit', '-qm', `commit ${n}`)
      })
      account.around(true, () => syncFolder(folder))
    }
    return true
  } catch (error) {
    if (isGone(folder)) return false
    throw error
  }
}

export function countIn(workload: string, folder: string): Counted {
  if (!fs.statSync(folder, { throwIfNoEntry: false })) return { count: 0, problems: [] }
  return workload === 'git' ? countCommits(folder) : countTransactions(folder)
}

function countTransactions(folder: string): Counted {
  const ran = spawnSync(process.execPath, [DATABASE, 'count', folder], { encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`ENOTCONN or worse: ${ran.status ?? ran.signal} ${ran.stderr}`)
  return JSON.parse(ran.stdout)
}

/** The account has two steps for each commit: itself, and the sync behind it. */
function countCommits(folder: string): Counted {
  if (!fs.existsSync(path.join(folder, '.git', 'refs', 'heads', 'main'))) return { count: 0, problems: [] }
  const count = Number(git(folder, 'rev-list', '--count', 'HEAD'))
  const said = spawnSync('git', ['fsck', '--strict', '--no-dangling'], {
    cwd: folder,
    encoding: 'utf8',
    env: env(folder),
  })
  if (isGone(folder)) throw new Error('ENOTCONN')
  const problems = said.status === 0 ? [] : [`git fsck: ${said.stdout}${said.stderr}`.slice(0, 500)]
  return { count: 2 * count, problems }
}

function git(folder: string, ...words: string[]): string {
  const settings = ['-c', 'gc.auto=0', '-c', 'init.defaultBranch=main', '-c', 'safe.directory=*']
  const options = { cwd: folder, env: env(folder), stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] }
  return execFileSync('git', [...settings, ...words], options).toString()
}

function env(folder: string): NodeJS.ProcessEnv {
  const who = { NAME: 'a', EMAIL: 'a@b' }
  const roles = ['AUTHOR', 'COMMITTER'].flatMap((role) =>
    Object.entries(who).map(([what, value]) => [`GIT_${role}_${what}`, value]),
  )
  return { ...process.env, ...Object.fromEntries(roles), HOME: folder, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' }
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
