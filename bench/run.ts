/**
 * `npm run bench [-- WORDS]`: the drive beside its own transport, beside gocryptfs and beside the plain disk, in one run.
 * Every round does everything once, so that what else happens on the machine happens to all; figures are medians.
 *
 *   (nothing)         raw, drive, beside
 *   raw               the transport alone
 *   drive             raw and drive: cold and warm streams
 *   profile           one write and one cold read with CPU profiles of the mount daemon and of one host
 *   door              what the door costs, beside a passthrough of libfuse3 in C: see bench/door.ts
 *   codec, transport, reader     parts by themselves
 *   host-store        a host's store of 1,000,000 shards: see bench/host-store.ts
 *   --mib 512  --rounds 3  --files 10000  --hosts 8  --scheme 4/8  --dir DIR (on the disk that is meant)
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { gocryptfsFolder, plainFolder } from './beside.js'
import { doorBench } from './door.js'
import { BenchDrive } from './drive.js'
import { atEnd, runToEnd } from './ending.js'
import { Figures, format, machine, tableOf, writeResult } from './figures.js'
import * as phases from './phases.js'
import { runProfile } from './profile-run.js'
import { RawNetwork } from './raw.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mib: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '3' },
    files: { type: 'string', default: '10000' },
    hosts: { type: 'string', default: '8' },
    scheme: { type: 'string', default: '4/8' },
    dir: { type: 'string' },
    answer: { type: 'string' },
    // Of parts, which read them again.
    shards: { type: 'string' },
    bytes: { type: 'string' },
  },
})
const what = positionals[0] ?? 'all'
const sizes = { mebibytes: Number(values.mib), files: Number(values.files) }
const rounds = Number(values.rounds)
const hosts = Number(values.hosts)
const { scheme } = values
const [dataShards = 4, totalShards = 8] = scheme.split('/').map(Number)
const bytes = sizes.mebibytes * 1_048_576
/** As the reader asks: see ROWS_PER_REQUEST in mount/reader/segment-reader.ts. */
const ANSWER_BYTES = Number(values.answer ?? 256) * 1024

async function all(dir: string, withFolders: boolean): Promise<void> {
  const figures = new Figures()
  const before = { ...machine(), load: os.loadavg()[0] as number }
  const raw = await RawNetwork.start(hosts)
  atEnd(() => raw.stop())
  const drive = await BenchDrive.start({ dir, hosts, scheme })
  atEnd(() => drive.stop())
  const folders = withFolders ? [plainFolder(dir), gocryptfsFolder(dir)].filter((one) => one !== null) : []
  for (const folder of folders) atEnd(() => folder.remove())
  if (withFolders && folders.length < 2) {
    console.error('  gocryptfs is not installed: its rows are left out (apt-get install gocryptfs)')
  }
  await drive.mount()
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round} of ${rounds}, load ${os.loadavg()[0]?.toFixed(1)}`)
    const seed = round * 100
    figures.add('raw put', await raw.put(bytes))
    await phases.writeAndStore(drive, sizes, seed, figures)
    figures.add('raw get', await raw.get(bytes, ANSWER_BYTES))
    await phases.readCold(drive, sizes, seed, figures)
    await phases.readWarm(drive, sizes, seed, figures)
    if (!withFolders) continue
    await phases.overwrite(drive, sizes, seed, figures)
    for (const folder of folders) await phases.streamBeside(folder, sizes, seed, figures)
    await phases.smallFiles(drive.mountPoint, 'drive', sizes, seed, figures)
    for (const folder of folders) await phases.smallFiles(folder.path, folder.name, sizes, seed, figures)
  }
  report(figures, before, withFolders)
}

function report(figures: Figures, before: object, withFolders: boolean): void {
  const rows = figures.medians()
  const rawWrite = figures.median('raw put', 'MB/s') / (totalShards / dataShards)
  const ratios = {
    'stored write / raw': figures.median('write, stored', 'MB/s') / rawWrite,
    'cold read / raw': figures.median('read, cold', 'MB/s') / figures.median('raw get', 'MB/s'),
    ...(withFolders
      ? {
          'create / gocryptfs':
            figures.median('drive: small files', 'create/s') / figures.median('gocryptfs: small files', 'create/s'),
        }
      : {}),
  }
  const streams = [
    'raw put',
    'write, acknowledged',
    'write, fsync',
    'write, stored',
    'overwrite, fsync',
    'raw get',
    'read, cold',
    'read, cache on disk',
    'read, page cache',
  ]
  console.log(
    `\n${sizes.mebibytes} MiB, ${rounds} rounds, medians; ${hosts} hosts, ${scheme}. MB/s and CPU ms/MB are of the file (raw put: of the wire).\n`,
  )
  console.log(
    tableOf(
      rows,
      streams.filter((one) => one in rows),
      [
        'MB/s',
        'CPU ms/MB',
        'of this side',
        'of daemon',
        'of hosts',
        'of bridge',
        'peak MiB daemon',
        'peak MiB host',
        'peak MiB bridge',
        'other load, cores',
      ],
    ),
  )
  if (withFolders) {
    const others = Object.keys(rows).filter((one) => one.includes(': ') && !one.includes('small files'))
    console.log(`\n${tableOf(rows, others, ['MB/s'])}`)
    const small = Object.keys(rows).filter((one) => one.includes('small files'))
    console.log(
      `\n${sizes.files} files in 100 folders, a second:\n\n${tableOf(rows, small, ['create/s', 'write 4 KiB/s', 'stat/s', 'unlink/s'])}`,
    )
  }
  console.log(`\nraw write counts k/n: ${format(rawWrite)} MB/s of the file.`)
  for (const [name, value] of Object.entries(ratios)) console.log(`${name}: ${format(value)}`)
  const load = os.loadavg()[0] as number
  console.log(`load average ${format((before as { load: number }).load)} before, ${format(load)} after\n`)
  console.log(
    writeResult(what, {
      at: new Date().toISOString(),
      machine: before,
      loadAfter: load,
      sizes,
      rounds,
      hosts,
      scheme,
      ratios,
      medians: rows,
      each: figures.rounds(),
    }),
  )
}

async function rawOnly(): Promise<void> {
  const figures = new Figures()
  const raw = await RawNetwork.start(hosts)
  atEnd(() => raw.stop())
  for (let round = 1; round <= rounds; round++) {
    figures.add('raw put', await raw.put(bytes))
    figures.add('raw get', await raw.get(bytes, ANSWER_BYTES))
  }
  await raw.stop()
  console.log(
    `\n${tableOf(figures.medians(), ['raw put', 'raw get'], ['MB/s', 'CPU ms/MB', 'of this side', 'of hosts'])}\n`,
  )
  console.log(
    writeResult('raw', {
      at: new Date().toISOString(),
      machine: machine(),
      medians: figures.medians(),
      each: figures.rounds(),
    }),
  )
}

/** Files of this folder that are benches of their own. */
function part(script: string): void {
  process.exitCode = spawnSync(process.execPath, [script, ...process.argv.slice(3)], { stdio: 'inherit' }).status ?? 1
}

function scratch(): string {
  const dir = fs.mkdtempSync(path.join(values.dir ?? os.tmpdir(), 'shardrive-bench-'))
  atEnd(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

switch (what) {
  case 'all':
  case 'drive':
    await runToEnd(() => all(scratch(), what === 'all'))
    break
  case 'raw':
    await runToEnd(rawOnly)
    break
  case 'profile':
    await runToEnd(() => runProfile({ dir: scratch(), hosts, scheme }, sizes))
    break
  case 'door':
    await runToEnd(() => doorBench({ ...sizes, rounds, dir: scratch() }))
    break
  case 'codec':
    part('bench/codec.mjs')
    break
  case 'transport':
  case 'reader':
  case 'host-store':
    part(path.join(import.meta.dirname, `${what}.js`))
    break
  default:
    console.error(`no bench '${what}': all, raw, drive, profile, codec, transport, reader, host-store`)
    process.exitCode = 64
}
