/** The phases of one round: what is done to a drive, and to the folders beside it. */
import path from 'node:path'
import type { Folder } from './beside.js'
import type { BenchDrive } from './drive.js'
import { type Figures, MB, type Row } from './figures.js'
import { dropKernelCaches, work } from './work.js'

export interface Sizes {
  mebibytes: number
  files: number
}

const MIB = 1_048_576
const SMALL_BYTES = 4_096

/** A new file: until the last write returned, until fsync returned, until all of it is stored on hosts. */
export async function writeAndStore(drive: BenchDrive, sizes: Sizes, seed: number, figures: Figures): Promise<void> {
  const bytes = sizes.mebibytes * MIB
  const rate = (ms: number) => bytes / MB / (ms / 1000)
  const rates = { acknowledged: 0, durable: 0 }
  const row = await drive.measure(bytes, async () => {
    const fromMs = performance.now()
    const wrote = await work('write', path.join(drive.mountPoint, `stream-${seed}`), sizes.mebibytes, seed)
    rates.acknowledged = rate(wrote.ms)
    rates.durable = rate(wrote.durableMs)
    await drive.sync()
    return performance.now() - fromMs
  })
  figures.add('write, acknowledged', { 'MB/s': rates.acknowledged })
  figures.add('write, fsync', { 'MB/s': rates.durable })
  figures.add('write, stored', row)
}

/** Nothing of the file is on this machine but on hosts. */
export async function readCold(drive: BenchDrive, sizes: Sizes, seed: number, figures: Figures): Promise<void> {
  await drive.unmount()
  drive.forgetCache()
  await drive.mount()
  figures.add('read, cold', await readOnce(drive, sizes, seed))
}

/** From the cache on disk (the kernel has nothing), then from the kernel's pages. */
export async function readWarm(drive: BenchDrive, sizes: Sizes, seed: number, figures: Figures): Promise<void> {
  // A mount of its own: units in the daemon's memory would be a third thing.
  await drive.unmount()
  await drive.mount()
  figures.add('read, cache on disk', await readOnce(drive, sizes, seed))
  figures.add('read, page cache', await readOnce(drive, sizes, seed, false))
}

async function readOnce(drive: BenchDrive, sizes: Sizes, seed: number, drop = true): Promise<Row> {
  if (drop) dropKernelCaches(drive.mountPoint)
  let firstMs = 0
  const row = await drive.measure(sizes.mebibytes * MIB, async () => {
    const done = await work('read', path.join(drive.mountPoint, `stream-${seed}`), sizes.mebibytes, seed)
    firstMs = done.firstMs
    return done.ms
  })
  return { ...row, 'first MiB, ms': firstMs }
}

/** The same file again, other bytes: what was stored is dead, nothing is read. */
export async function overwrite(drive: BenchDrive, sizes: Sizes, seed: number, figures: Figures): Promise<void> {
  const bytes = sizes.mebibytes * MIB
  const row = await drive.measure(bytes, async () => {
    return (await work('write', path.join(drive.mountPoint, `stream-${seed}`), sizes.mebibytes, seed + 1)).durableMs
  })
  figures.add('overwrite, fsync', row)
  await drive.sync()
}

/** Streams in a folder of another file system. */
export async function streamBeside(folder: Folder, sizes: Sizes, seed: number, figures: Figures): Promise<void> {
  const file = path.join(folder.path, 'stream')
  const rate = (ms: number): Row => ({ 'MB/s': (sizes.mebibytes * MIB) / MB / (ms / 1000) })
  const fresh = await work('write', file, sizes.mebibytes, seed)
  figures.add(`${folder.name}: write, acknowledged`, rate(fresh.ms))
  figures.add(`${folder.name}: write, fsync`, rate(fresh.durableMs))
  dropKernelCaches(folder.path)
  figures.add(`${folder.name}: read, cache on disk`, rate((await work('read', file, sizes.mebibytes, seed)).ms))
  figures.add(`${folder.name}: read, page cache`, rate((await work('read', file, sizes.mebibytes, seed)).ms))
  figures.add(
    `${folder.name}: overwrite, fsync`,
    rate((await work('write', file, sizes.mebibytes, seed + 1)).durableMs),
  )
}

/** Many small things, a second: empty files, files of 4 KiB, attributes that the kernel does not know, ends. */
export async function smallFiles(
  place: string,
  name: string,
  sizes: Sizes,
  seed: number,
  figures: Figures,
): Promise<void> {
  const empty = path.join(place, `empty-${seed}`)
  const small = path.join(place, `small-${seed}`)
  const { files } = sizes
  const rate = (ms: number) => files / (ms / 1000)
  const create = rate((await work('create', empty, files)).ms)
  const fill = rate((await work('fill', small, files, SMALL_BYTES)).ms)
  dropKernelCaches(place)
  const stat = rate((await work('stat', small, files)).ms)
  const unlink = rate((await work('unlink', empty, files)).ms)
  figures.add(`${name}: small files`, { 'create/s': create, 'write 4 KiB/s': fill, 'stat/s': stat, 'unlink/s': unlink })
  await work('unlink', small, files)
}
