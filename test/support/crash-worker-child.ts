/**
 * The hands of a crash test: a process that works on a mount, keeps an account of it outside, and looks at what is there later. Asked
 * over IPC (ask-child.ts): `run` carries out a workload until its end or until the drive goes away, `show` lists a folder, `count` looks
 * at what a database or a repository holds, `remove` takes folders away.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { Account } from './crash-account.js'
import { hashOf, type Step, showFile, showXattrs } from './crash-model.js'
import { planOf, STEP_PLANS } from './crash-plans.js'
import { countIn, databaseWork, repositoryWork } from './crash-programs.js'
import { rampRange } from './ramp.js'

export interface RunQuestion {
  folder: string
  log: string
  workload: string
  seed: number
  steps: number
  /** Between two steps. */
  pauseMs: number
}

/** What a system call answers when the drive has gone; what became of it otherwise is a failure of the test. */
const GONE = new Set(['ENOTCONN', 'ECONNABORTED', 'EIO', 'ENODEV'])
const QUIET = { stdio: ['ignore', 'ignore', 'pipe'] } as { stdio: ['ignore', 'ignore', 'pipe'] }
const PYTHON = fs.existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
const PAUSE = new Int32Array(new SharedArrayBuffer(4))
/** The ledger tidies when nobody has asked for anything for a tenth of a second. */
const REST_MS = 400
const FLAGS = { write: 'r+', append: 'a', truncate: 'r+', fsync: 'r' } as const

/** True: all of it was done. False: the drive went away. */
function run({ folder, log, workload, seed, steps, pauseMs }: RunQuestion): boolean {
  const account = new Account(log)
  const open = new Map<string, number>()
  const held: number[] = []
  try {
    expectMount(path.dirname(folder))
    fs.mkdirSync(folder)
    if (workload === 'sqlite') return databaseWork(folder, log, seed, steps)
    if (!STEP_PLANS.includes(workload)) return repositoryWork(folder, account, steps)
    for (const step of planOf(workload, { seed, steps })) {
      account.around(step.kind === 'fsync', () => carryOut(folder, step, open, held))
      if (pauseMs > 0) Atomics.wait(PAUSE, 0, 0, pauseMs)
    }
    return true
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  } finally {
    for (const fd of [...open.values(), ...held]) closeQuietly(fd)
    account.close()
  }
}

/** What lands in the folder behind a mount would be there after every crash. */
function expectMount(place: string): void {
  if (fs.statSync(place).dev === fs.statSync(path.dirname(place)).dev) throw new Error(`nothing is mounted at ${place}`)
}

function carryOut(folder: string, step: Step, open: Map<string, number>, held: number[]): void {
  const place = path.join(folder, step.name)
  if (step.kind === 'mkdir') fs.mkdirSync(place)
  else if (step.kind === 'rmdir') fs.rmdirSync(place)
  else if (step.kind === 'create') keepOpen(open, place)
  else if (step.kind === 'unlink') fs.unlinkSync(place)
  else if (step.kind === 'link') fs.linkSync(place, path.join(folder, step.to))
  else if (step.kind === 'symlink') fs.symlinkSync(step.target, place)
  else if (step.kind === 'chmod') fs.chmodSync(place, step.mode)
  else if (step.kind === 'xattr') setAttribute(place, step.attribute, step.value)
  else if (step.kind === 'hold') held.push(fs.openSync(place, 'r'))
  else if (step.kind === 'rest') Atomics.wait(PAUSE, 0, 0, REST_MS)
  else if (step.kind === 'copy') copyRange(place, path.join(folder, step.into), step)
  else if (step.kind === 'rename') {
    forget(open, place)
    fs.renameSync(place, path.join(folder, step.to))
  } else changeBytes(place, step, open)
}

function changeBytes(
  place: string,
  step: Extract<Step, { kind: keyof typeof FLAGS }>,
  open: Map<string, number>,
): void {
  const known = step.kind === 'append' ? undefined : open.get(place)
  const fd = known ?? fs.openSync(place, FLAGS[step.kind])
  try {
    if ('key' in step)
      writeAll(fd, rampRange(step.key, step.offset, step.length), step.kind === 'append' ? null : step.offset)
    else if ('length' in step) fs.ftruncateSync(fd, step.length)
    else fs.fsyncSync(fd)
  } finally {
    if (known === undefined) closeQuietly(fd)
    else if (step.kind === 'fsync') forget(open, place)
  }
}

/** One call; unless the drive goes away in the middle of it. */
function writeAll(fd: number, bytes: Buffer, at: number | null): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, at === null ? null : at + done)
  }
}

/** One file at a time stays open, as with most programs. */
function keepOpen(open: Map<string, number>, place: string): void {
  for (const known of [...open.keys()]) forget(open, known)
  open.set(place, fs.openSync(place, 'wx'))
}

function forget(open: Map<string, number>, place: string): void {
  const fd = open.get(place)
  if (fd === undefined) return
  open.delete(place)
  closeQuietly(fd)
}

function closeQuietly(fd: number): void {
  try {
    fs.closeSync(fd)
  } catch {
    // The drive has gone.
  }
}

/** One system call, which Node has not. */
const COPY = `
import os, sys
source, target, offset, into, length = sys.argv[1:]
try:
  done = os.copy_file_range(os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY), int(length), int(offset), int(into))
except OSError as error:
  sys.exit(os.strerror(error.errno))
if done != int(length): sys.exit(f"copied {done} of {length}")
`

function copyRange(source: string, target: string, step: Extract<Step, { kind: 'copy' }>): void {
  const numbers = [step.offset, step.intoOffset, step.length].map(String)
  unlessGone(() => execFileSync(PYTHON, ['-ESsc', COPY, source, target, ...numbers], QUIET))
}

function setAttribute(place: string, name: string, value: string | null): void {
  const words = value === null ? ['-x', name] : ['-n', name, '-v', value]
  unlessGone(() => execFileSync('setfattr', [...words, place], QUIET))
}

/** What a program says of a drive that went away becomes what a system call says. */
function unlessGone(work: () => void): void {
  try {
    work()
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr)
    const isGone = /not connected|connection abort|Input\/output|No such device/i.test(said)
    throw isGone ? Object.assign(new Error(said), { code: 'ENOTCONN' }) : error
  }
}

/** Every path below the folder and what it is, as Tree.shown() has it; null when there is no such folder. */
function show(folder: string): Record<string, string> | null {
  expectMount(path.dirname(folder))
  if (fs.statSync(folder, { throwIfNoEntry: false }) === undefined) return null
  const found: { name: string; stat: fs.Stats }[] = []
  const walk = (place: string) => {
    for (const entry of fs.readdirSync(path.join(folder, place), { withFileTypes: true })) {
      const name = path.join(place, entry.name)
      found.push({ name, stat: fs.lstatSync(path.join(folder, name)) })
      if (entry.isDirectory()) walk(name)
    }
  }
  walk('')
  const first = new Map<number, string>()
  for (const { name, stat } of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!first.has(stat.ino)) first.set(stat.ino, name)
  }
  // Of the workload that has hard links.
  const xattrs = found.some(({ stat }) => stat.isSymbolicLink() || stat.nlink > 1) ? attributesBelow(folder) : new Map()
  return Object.fromEntries(found.map(({ name, stat }) => [name, look(name, stat)]))

  function look(name: string, stat: fs.Stats): string {
    const mode = stat.mode & 0o7777
    if (stat.isSymbolicLink()) return `link ${fs.readlinkSync(path.join(folder, name))}`
    if (stat.isDirectory()) return `folder ${mode.toString(8)}`
    const bytes = fs.readFileSync(path.join(folder, name))
    if (bytes.length !== stat.size) throw new Error(`${name} has ${bytes.length} bytes, stat says ${stat.size}`)
    const facts = { mode, size: stat.size, hash: hashOf(bytes), links: stat.nlink, xattrs: xattrs.get(name) ?? '' }
    return showFile({ ...facts, first: first.get(stat.ino) as string })
  }
}

function attributesBelow(folder: string): Map<string, string> {
  const words = ['-R', '-P', '-h', '-d', '-m', '^user\\.colour', '.']
  const out = execFileSync('getfattr', words, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 })
  const all = new Map<string, string>()
  for (const block of out.split('\n\n')) {
    const [head = '', ...lines] = block.split('\n').filter((line) => line !== '')
    const pairs = lines.map((line) => /^(.*?)="(.*)"$/.exec(line)?.slice(1) as [string, string])
    if (head !== '') all.set(head.replace(/^# file: (\.\/)?/, ''), showXattrs(pairs))
  }
  return all
}

function inodesBelow(folder: string, seen: Set<number>): Set<number> {
  seen.add(fs.lstatSync(folder).ino)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const place = path.join(folder, entry.name)
    if (entry.isDirectory()) inodesBelow(place, seen)
    else seen.add(fs.lstatSync(place).ino)
  }
  return seen
}

function answer(question: Record<string, unknown>): unknown {
  if (question.run !== undefined) return { done: run(question.run as RunQuestion) }
  if (question.show !== undefined) return { found: show(question.show as string) }
  if (question.count !== undefined) {
    const { workload, folder } = question.count as { workload: string; folder: string }
    return countIn(workload, folder)
  }
  if (question.inodes !== undefined) return { inodes: inodesBelow(question.inodes as string, new Set()).size }
  for (const folder of question.remove as string[]) fs.rmSync(folder, { recursive: true, force: true })
  return {}
}

process.on('message', (question: { id: number } & Record<string, unknown>) => {
  const answers = question.id
  try {
    process.send?.({ answers, answer: answer(question) })
  } catch (error) {
    process.send?.({ answers, error: error instanceof Error ? error.stack : String(error) })
  }
})
process.on('disconnect', () => process.exit(0))
