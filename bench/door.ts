/**
 * `npm run bench -- door [--files 10000 --mib 512 --rounds 3 --dir DIR]`: what the door costs, beside a passthrough of libfuse3 in C
 * (the example of Debian's package libfuse3-dev, compiled here) and beside the folder that it passes through to, in one run.
 *
 *   plain         a folder in memory
 *   passthrough   the same, through libfuse3's passthrough.c
 *   memory        a file system in memory behind our door: the door alone
 *   drive         ledger, vfs and door of a drive without a network: its metadata is on DIR's disk
 *
 * `list` is one folder of all names, the rest happens in 100 folders. `stat` and `list` are asked of a kernel that has forgotten what it knew: every answer comes through the door.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { atEnd } from './ending.js'
import { Figures, format, MB, machine, tableOf, writeResult } from './figures.js'

export interface DoorBench {
  files: number
  mebibytes: number
  rounds: number
  dir: string
}

const SOURCE = '/usr/share/doc/libfuse3-dev/examples/passthrough.c'
const MEMORY = '/dev/shm'
const WORK = path.resolve('dist-test/bench/file-work.js')
const CHILDREN = path.resolve('dist-test/test/mount')
const METADATA = ['create', 'stat', 'list', 'rename', 'unlink'] as const
const MOUNTED_MS = 20_000

interface Place {
  name: string
  path: string
}

function run(program: string, words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}

/** Null without libfuse3-dev. */
async function passthrough(dir: string, behind: string): Promise<Place | null> {
  if (!fs.existsSync(SOURCE)) return null
  const program = path.join(dir, 'passthrough')
  const flags = run('pkg-config', ['fuse3', '--cflags', '--libs']).trim().split(/\s+/)
  run('cc', ['-O2', '-o', program, SOURCE, ...flags])
  const mount = fs.mkdtempSync(path.join(dir, 'passthrough-'))
  const child = spawn(program, ['-f', '-o', 'default_permissions', mount], { stdio: ['ignore', 'ignore', 'inherit'] })
  await mounted(child, mount)
  return { name: 'passthrough', path: path.join(mount, behind) }
}

async function mounted(child: ChildProcess, mount: string): Promise<void> {
  const isMounted = () => fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${mount} `)
  for (const endMs = performance.now() + MOUNTED_MS; !isMounted(); ) {
    if (performance.now() > endMs || child.exitCode !== null) throw new Error(`nothing was mounted at ${mount}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  atEnd(async () => {
    const ended = child.exitCode === null ? once(child, 'exit') : null
    child.kill('SIGTERM')
    await ended
  })
}

/** A child of the tests with our door; ready when it says so. */
async function ours(name: string, mount: string, words: readonly string[]): Promise<Place> {
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')
  await mounted(child, mount)
  return { name, path: mount }
}

/** Names and attributes, not bytes. Where it may not be written (no root) figures are of what the kernel remembers: said. */
function forget(): void {
  spawnSync('sync')
  fs.writeFileSync('/proc/sys/vm/drop_caches', '2')
}

function milliseconds(work: string, place: string, count: number, more = 0): Record<string, number> {
  return JSON.parse(run(process.execPath, [WORK, work, place, String(count), String(more)]))
}

function metadata(place: Place, { files }: DoorBench, figures: Figures): void {
  const folder = path.join(place.path, `files-${process.pid}`)
  const flat = path.join(place.path, `flat-${process.pid}`)
  for (const one of [folder, flat]) fs.mkdirSync(one)
  milliseconds('flat', flat, files)
  const rates: Record<string, number> = {}
  for (const work of METADATA) {
    if (work === 'stat' || work === 'list') forget()
    const { ms = 0 } = milliseconds(work, work === 'list' ? flat : folder, files, work === 'unlink' ? 1 : 0)
    rates[`${work}/s`] = files / (ms / 1000)
  }
  figures.add(`${place.name}: metadata`, rates)
  for (const one of [folder, flat]) fs.rmSync(one, { recursive: true })
}

function streams(place: Place, { mebibytes }: DoorBench, figures: Figures): void {
  const file = path.join(place.path, `stream-${process.pid}`)
  const megabytes = (mebibytes * 1_048_576) / MB
  // Over what is there: memory that is taken for the first time costs more than the door.
  milliseconds('write', file, mebibytes, 1)
  const { ms = 0 } = milliseconds('write', file, mebibytes, 1)
  fs.writeFileSync('/proc/sys/vm/drop_caches', '1')
  const { ms: readMs = 0 } = milliseconds('read', file, mebibytes, 1)
  figures.add(`${place.name}: streams`, {
    'write MB/s': megabytes / (ms / 1000),
    'read MB/s': megabytes / (readMs / 1000),
  })
  fs.rmSync(file)
}

export async function doorBench(options: DoorBench): Promise<void> {
  if (process.geteuid?.() !== 0) throw new Error('only root can make the kernel forget: run it as root')
  const figures = new Figures()
  const behind = fs.mkdtempSync(path.join(MEMORY, 'shardrive-door-'))
  atEnd(() => fs.rmSync(behind, { recursive: true, force: true }))
  const made = (name: string) => {
    const folder = path.join(options.dir, name)
    fs.mkdirSync(folder, { recursive: true })
    return folder
  }
  const c = await passthrough(options.dir, behind)
  if (c === null) console.error('  no passthrough beside it: apt-get install libfuse3-dev pkg-config')
  const memory = await ours('memory', made('memory'), [path.join(CHILDREN, 'door-child.js'), made('memory')])
  const drive = await ours('drive', made('drive'), [path.join(CHILDREN, 'vfs-child.js'), made('state'), made('drive')])
  const places = [{ name: 'plain', path: behind }, ...(c === null ? [] : [c]), memory, drive]
  for (let round = 1; round <= options.rounds; round++) {
    console.error(`round ${round} of ${options.rounds}, load ${os.loadavg()[0]?.toFixed(1)}`)
    for (const place of places) metadata(place, options, figures)
    for (const place of places) if (place !== drive) streams(place, options, figures)
  }
  report(figures, options)
}

function report(figures: Figures, options: DoorBench): void {
  const rows = figures.medians()
  const names = Object.keys(rows)
  const works = METADATA.map((work) => `${work}/s`)
  console.log(`\n${options.files} files in 100 folders, a second; medians of ${options.rounds} rounds:\n`)
  console.log(
    tableOf(
      rows,
      names.filter((one) => one.endsWith(': metadata')),
      works,
    ),
  )
  console.log(`\n${options.mebibytes} MiB from and to memory:\n`)
  console.log(
    tableOf(
      rows,
      names.filter((one) => one.endsWith(': streams')),
      ['write MB/s', 'read MB/s'],
    ),
  )
  console.log('\nbeside the passthrough in C:')
  const ratio = (row: string, beside: string, figure: string) =>
    figures.median(row, figure) / figures.median(beside, figure)
  for (const name of ['drive', 'memory']) {
    const all = works.map((work) => `${work} ${format(ratio(`${name}: metadata`, 'passthrough: metadata', work))}`)
    console.log(`  ${name}: ${all.join(', ')}`)
  }
  for (const figure of ['write MB/s', 'read MB/s']) {
    console.log(`  memory: ${figure} ${format(ratio('memory: streams', 'passthrough: streams', figure))}`)
  }
  console.log(
    writeResult('door', {
      at: new Date().toISOString(),
      ...options,
      machine: machine(),
      medians: rows,
      rounds: figures.rounds(),
    }),
  )
}
