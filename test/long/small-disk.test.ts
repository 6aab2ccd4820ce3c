// A small disk under the state directory: a writer is told that it is full before its bytes are taken, the drive never turns
// read-only for it, and what was taken is there afterwards.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { startDrive, type VfsMount } from '../mount/vfs-mount.js'
import { until } from '../support/named.js'
import { rampBytes } from '../support/ramp.js'
import { freeBytes, mountSmallDisk, noSmallDisks } from '../support/small-disk.js'

const skip = noSmallDisks()
const MIB = 1_048_576
const DISK_MIB = 192
/** Left to everybody else, and what the log may have: a sixth and an eighth of it. */
const FLOOR_BYTES = 32 * MIB
const LOG_SHARE = 1 / 8
const USABLE_SHARE = 0.6
/** What making a full disk's last bytes durable may give back: the end of a group. */
const MORE_MIB_MAX = 8
t.setTimeout(240_000)

interface SmallDisk {
  readonly folder: string
  readonly state: string
  drive: VfsMount
  /** Ends the drive and starts it anew: what is read then comes from the disk. What it said: nothing, if all is well. */
  again(): Promise<string[]>
}

async function diskOf(t: Test, sizeBytes: number): Promise<SmallDisk> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-small-'))
  const state = path.join(folder, 'state')
  fs.mkdirSync(state)
  // Undone in reverse: the drive, the disk, the folder.
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  mountSmallDisk(t, state, sizeBytes)
  const disk: SmallDisk = {
    ...{ folder, state, drive: await startDrive(folder) },
    again: async () => {
      const { lines } = await disk.drive.stop()
      disk.drive = await startDrive(folder)
      return lines
    },
  }
  t.teardown(async () => void (await disk.drive.stop()))
  return disk
}

/** Appends until the disk is full: how many pieces were taken. */
function fillStream(file: string, seed: number, pieceBytes = MIB): number {
  const fd = fs.openSync(file, 'w')
  try {
    for (let piece = 0; ; piece++) {
      const bytes = rampBytes(seed + piece, pieceBytes)
      if (!taken(() => fs.writeSync(fd, bytes))) return piece
    }
  } finally {
    fs.fsyncSync(fd)
    fs.closeSync(fd)
  }
}

/** False for a full disk; anything else is thrown. */
function taken(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}

function streamIsThere(file: string, seed: number, pieces: number, pieceBytes = MIB): boolean {
  const fd = fs.openSync(file, 'r')
  const bytes = Buffer.alloc(pieceBytes)
  try {
    for (let piece = 0; piece < pieces; piece++) {
      const length = fs.readSync(fd, bytes, 0, pieceBytes, piece * pieceBytes)
      if (length !== pieceBytes || !bytes.equals(rampBytes(seed + piece, pieceBytes))) return false
    }
    return true
  } finally {
    fs.closeSync(fd)
  }
}

/** Files of this size, each tenth made durable, until the disk is full: how many were taken whole. */
function fillFiles(folder: string, seed: number, sizeBytes: number): number {
  fs.mkdirSync(folder)
  for (let file = 0; ; file++) {
    const bytes = rampBytes(seed + file, sizeBytes)
    const isTaken = taken(() => {
      const fd = fs.openSync(path.join(folder, String(file)), 'w')
      try {
        fs.writeSync(fd, bytes)
        if (file % 10 === 0) fs.fsyncSync(fd)
      } finally {
        fs.closeSync(fd)
      }
    })
    if (!isTaken) return file
  }
}

function filesAreThere(folder: string, seed: number, sizeBytes: number, files: number): boolean {
  for (let file = 0; file < files; file++) {
    if (!fs.readFileSync(path.join(folder, String(file))).equals(rampBytes(seed + file, sizeBytes))) return false
  }
  return true
}

/** With so much left of the disk that it is full in seconds. */
async function fillsWithFiles(t: Test, disk: SmallDisk, sizeBytes: number, roomBytes: number): Promise<void> {
  const ballast = path.join(disk.state, 'ballast')
  fs.writeFileSync(ballast, Buffer.alloc(freeBytes(disk.state) - roomBytes))
  const folder = path.join(disk.drive.mount, `files of ${sizeBytes}`)
  const files = fillFiles(folder, 5_000, sizeBytes)
  t.comment(`${files} were taken`)
  t.ok(files > 300)
  t.same(await disk.again(), [], 'never read-only, and fsck finds nothing')
  t.ok(filesAreThere(folder, 5_000, sizeBytes, files))
  fs.rmSync(folder, { recursive: true })
  fs.rmSync(ballast)
}

t.test('a disk of 192 MiB', { skip, timeout: 230_000 }, async (t) => {
  const disk = await diskOf(t, DISK_MIB * MIB)
  const inMount = (name: string) => path.join(disk.drive.mount, name)

  await t.test('small files, of which most is what is known of them', async (t) => {
    await fillsWithFiles(t, disk, 400, FLOOR_BYTES + DISK_MIB * MIB * LOG_SHARE + 2 * MIB)
  })

  await t.test('files that have a page of the database each', async (t) => {
    await fillsWithFiles(t, disk, 17_000, FLOOR_BYTES + DISK_MIB * MIB * LOG_SHARE + 24 * MIB)
  })

  let pieces = 0
  await t.test('a stream that nobody makes durable is told where the disk ends', async (t) => {
    pieces = fillStream(inMount('stream'), 1)
    t.comment(`${pieces} MiB were taken`)
    t.ok(pieces >= DISK_MIB * USABLE_SHARE)
    fs.mkdirSync(inMount('a folder needs little'))
    const more = fillStream(inMount('more'), 900)
    t.ok(more <= MORE_MIB_MAX, `${more} MiB more`)
    t.same(await disk.again(), [], 'never read-only, and fsck finds nothing')
    t.ok(streamIsThere(inMount('stream'), 1, pieces))
  })

  await t.test('what is deleted is room for others', async (t) => {
    for (const name of ['stream', 'more']) fs.rmSync(inMount(name))
    const again = fillStream(inMount('second'), 1_000)
    t.comment(`${again} MiB were taken`)
    t.ok(again >= pieces * 0.9)
    t.same(await disk.again(), [], 'never read-only, and fsck finds nothing')
    t.ok(streamIsThere(inMount('second'), 1_000, again))
  })

  await t.test('somebody else takes all of it, and gives it back', async (t) => {
    for (const name of ['stream', 'second']) fs.rmSync(inMount(name), { force: true })
    const fd = fs.openSync(inMount('going on'), 'w')
    const write = (piece: number) => taken(() => fs.writeSync(fd, rampBytes(7 + piece, MIB), 0, MIB, piece * MIB))
    t.ok(write(0))
    fs.fsyncSync(fd)
    const ballast = path.join(disk.state, 'ballast')
    spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { stdio: 'ignore' })
    let pieces = 1
    while (write(pieces)) pieces++
    // What the ledger said last is a second old at most, or so many bytes.
    t.comment(`${pieces - 1} MiB were taken before the disk was looked at`)
    t.ok(pieces <= 64)
    fs.rmSync(ballast)
    await until(async () => write(pieces), 30_000)
    fs.fsyncSync(fd)
    fs.closeSync(fd)
    t.same(
      (await disk.again()).filter((line) => line.startsWith('finding')),
      [],
    )
    t.ok(streamIsThere(inMount('going on'), 7, pieces + 1))
  })
})
