/**
 * Works on a drive whose disk is recorded, then many moments at which the power could have gone: for each a folder as it could look, the
 * drive's ledger on it, and a comparison with what its programs had been promised by that moment.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { LocalDrive } from './crash-drives.js'
import { Work } from './crash-work.js'
import { Worker } from './crash-worker.js'
import { Dice, testSeed } from './dice.js'
import { noMounts } from './mounts.js'
import { LOSSES, PowerDisk } from './power-disk.js'
import { noRecorder, type PowerRecord, readPowerLog, recorderEnv } from './power-log.js'
import { lookAtLedger } from './power-look.js'
import { scratchFolder } from './scratch-folder.js'
import { mountSmallDisk, noSmallDisks } from './small-disk.js'

const DISK_BYTES = 160 * 1_048_576
/** Of vfs-child.ts. */
const KEY = Buffer.alloc(32, 9)
/** What goes on at the same time, one after the other. */
const SHIFTS: readonly (readonly string[])[] = [['small', 'appends'], ['editors'], ['large'], ['links', 'moves']]
const STEPS: Record<string, number> = { large: 75 }

export interface PowerSizes {
  /** Moments looked at. */
  cuts: number
  /** Recordings, each with other works. */
  recordings: number
}

interface Recording {
  folder: string
  works: Work[][]
  records: PowerRecord[]
}

interface Cut {
  /** Records that had come to pass. */
  records: number
  wrong: string[]
}

export function powerTest({ cuts, recordings }: PowerSizes): void {
  const seed = testSeed()
  const again = `SEED=${seed} npm run t -- ${path.relative('dist-test', process.argv[1] ?? '').replace(/js$/, 'ts')}`
  const skip = noMounts() || noRecorder()
  t.test(`S-1 S-8 the power goes at ${cuts * recordings} moments (again: ${again})`, { skip }, async (t) => {
    for (let number = 0; number < recordings; number++) {
      const recording = await record(t, seed + number)
      const honest = await look(recording, { cuts, seed: seed + number, isLie: () => false })
      const { all, moved } = checkpointsOf(recording.records)
      t.comment(`${all} calls, ${cuts} moments; ${moved} pages were moved while programs worked`)
      t.same(wrongOf(honest), [], 'nothing that was promised is lost, and fsck finds nothing')
      // That it can be found out: by a disk that drops what it was told to keep.
      const lies = await look(recording, { cuts: 16, seed, isLie: (record) => record.kind === 'sync' })
      t.ok(wrongOf(lies).length > 0, 'a disk that lies of its syncs is found out')
    }
  })
}

/** Writes to the database file, but for those of its end. */
function checkpointsOf(records: readonly PowerRecord[]): { all: number; moved: number } {
  const file = records.find(({ kind, name }) => kind === 'create' && name.endsWith('ledger.db'))?.file
  const log = records.find(({ kind, name }) => kind === 'create' && name.endsWith('-wal'))?.file
  const last = records.findLastIndex((one) => one.kind === 'write' && one.file === log)
  const moved = records.slice(0, last).filter((one) => one.kind === 'write' && one.file === file)
  return { all: records.length, moved: moved.length }
}

function wrongOf(cuts: readonly Cut[]): string[] {
  return cuts.flatMap(({ records, wrong }) => wrong.map((one) => `after ${records} calls: ${one}`)).slice(0, 20)
}

async function record(t: Test, seed: number): Promise<Recording> {
  const { folder, remove } = scratchFolder()
  const disk = path.join(folder, 'disk')
  const mount = path.join(folder, 'mnt')
  for (const one of [disk, mount, path.join(folder, 'base')]) fs.mkdirSync(one)
  if (!noSmallDisks()) mountSmallDisk(t, disk, DISK_BYTES)
  const log = path.join(folder, 'power.log')
  const drive = new LocalDrive({ state: path.join(disk, 'state'), mount }, recorderEnv(folder, { folder: disk, log }))
  const workers = [new Worker(), new Worker()]
  t.teardown(async () => {
    await Promise.all(workers.map((one) => one.end()))
    await drive.end()
    spawnSync('umount', ['-l', disk])
    remove()
  })
  const dice = new Dice(seed)
  const works: Work[][] = []
  await drive.start('')
  for (const workloads of SHIFTS) {
    const shift = workloads.map((workload, at) => {
      const facts = { workload, seed: dice.roll(1, 2 ** 31), steps: STEPS[workload] ?? 60, pauseMs: 0 }
      return new Work({ ...facts, folder: `${workload}-${at}` }, folder)
    })
    works.push(shift)
    const done = await Promise.all(shift.map((work, at) => work.run(workers[at] as Worker, mount)))
    if (done.includes(false)) throw new Error('the drive went away under the recorder')
  }
  t.equal(await drive.stop(), 0, 'it ends, and is sound')
  return { folder, works, records: readPowerLog(log) }
}

async function look(
  { folder, works, records }: Recording,
  { cuts, seed, isLie }: { cuts: number; seed: number; isLie(record: PowerRecord): boolean },
): Promise<Cut[]> {
  const dice = new Dice(seed)
  const moments = Array.from({ length: cuts }, () => momentOf(records, dice)).sort((a, b) => a - b)
  const disk = new PowerDisk(path.join(folder, 'base'))
  const place = path.join(folder, 'after')
  const found: Cut[] = []
  for (const [at, record] of [...records, null].entries()) {
    for (; moments[0] === at; moments.shift()) {
      const loss = dice.pick(LOSSES)
      disk.build(place, loss, dice)
      const { folders, findings } = lookAtLedger(path.join(place, 'state'), KEY)
      // Just before the next call: what was promised by then.
      const until = record?.time ?? process.hrtime.bigint()
      const losses = Work.lookAt(works.flat(), (name) => folders.get(name) ?? null, until)
      found.push({
        records: at,
        wrong: [...losses, ...findings].map((one) => `${loss} of the unsynced is lost: ${one}`),
      })
      fs.rmSync(place, { recursive: true })
      // Others of this process have their turn.
      await new Promise(setImmediate)
    }
    if (record !== null) disk.take(record, isLie(record))
  }
  return found
}

/** Half of them around syncs, where the most hangs by one call. */
function momentOf(records: readonly PowerRecord[], dice: Dice): number {
  const at = dice.roll(0, records.length)
  if (dice.roll(0, 1) === 0) return at
  const next = records.findIndex((one, number) => number >= at && one.kind.startsWith('sync'))
  return next === -1 ? at : next + dice.roll(0, 1)
}
