/**
 * `npm run bench -- door [--files 10000 --mib 512 --rounds 3 --dir DIR]`: what the door costs, beside a passthrough of libfuse3 in C
 * (the example of Debian's package libfuse3-dev, compiled here) and beside the folder that it passes through to, in one run.
 *
 *   plain         a folder in memory
 *   passthrough   the same, through libfuse3's passthrough.c
 *   memory        a file system in memory behind our door: the door alone
 *   drive         ledger, vfs and door of a drive without a network: its metadata is on DIR's disk
 *   portable      the same ledger and vfs behind the portable door (`mount --door fuse-native`)
 *   memory, portable    the file system in memory behind the portable door: for the streams
 *
 * `list` is one folder of all names, the rest happens in 100 folders. `stat` and `list` are asked of a kernel that has forgotten what it knew: every answer comes through the door.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { noPortableDoor } from '../test/support/portable.js'
import { atEnd } from './ending.js'
import { Figures, format, MB, machine, medianOf, tableOf, writeResult } from './figures.js'

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
/** One takes 10 ms: whatever else happens on the machine is as long. */
const LISTS = 7
const MOUNTED_MS = 20_000

interface Place {
  name: string
  path: string
  metadataOnly?: boolean
  streamsOnly?: boolean
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
    const times = Array.from({ length: work === 'list' ? LISTS : 1 }, () => {
      if (work === 'stat' || work === 'list') forget()
      const { ms = 0 } = milliseconds(work, work === 'list' ? flat : folder, files, work === 'unlink' ? 1 : 0)
      return ms
    })
    rates[`${work}/s`] = files / (medianOf(times) / 1000)
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
  const drive = {
    ...(await ours('drive', made('drive'), [path.join(CHILDREN, 'vfs-child.js'), made('state'), made('drive')])),
    metadataOnly: true,
  }
  const portable = await portablePlaces(made)
  const own = [memory, drive, ...portable]
  const places = [{ name: 'plain', path: behind }, ...(c === null ? [] : [c]), ...own]
  for (let round = 1; round <= options.rounds; round++) {
    console.error(`round ${round} of ${options.rounds}, load ${os.loadavg()[0]?.toFixed(1)}`)
    for (const place of places) if (!place.streamsOnly) metadata(place, options, figures)
    for (const place of places) if (!place.metadataOnly) streams(place, options, figures)
  }
  report(figures, options, own)
}

/** None without libfuse 2, and says so. */
async function portablePlaces(made: (name: string) => string): Promise<Place[]> {
  const missing = await noPortableDoor()
  if (missing !== false) {
    console.error(`  no portable door beside it: ${missing}`)
    return []
  }
  const [drive, state, memory] = [made('portable'), made('portable-state'), made('portable-memory')]
  const words = [path.join(CHILDREN, 'vfs-child.js'), state, drive, 'fuse-native']
  const streams = await ours('memory, portable', memory, [path.join(CHILDREN, 'door-child.js'), memory, 'portable'])
  return [
    { ...(await ours('portable', drive, words)), metadataOnly: true },
    { ...streams, streamsOnly: true },
  ]
}

function report(figures: Figures, options: DoorBench, own: readonly Place[]): void {
  const rows = figures.medians()
  const names = Object.keys(rows)
  const works = METADATA.map((work) => `${work}/s`)
  const streamed = ['write MB/s', 'read MB/s']
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
      streamed,
    ),
  )
  console.log('\nbeside the passthrough in C:')
  for (const { name, streamsOnly, metadataOnly } of own) {
    const one = (rows: string) => (work: string) =>
      `${work} ${format(figures.median(`${name}: ${rows}`, work) / figures.median(`passthrough: ${rows}`, work))}`
    const all = [
      ...(streamsOnly ? [] : works.map(one('metadata'))),
      ...(metadataOnly ? [] : streamed.map(one('streams'))),
    ]
    console.log(`  ${name}: ${all.join(', ')}`)
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
