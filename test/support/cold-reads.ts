/**
 * Nothing wrong is ever served: many small files that share segments and some large ones with patches, holes and cuts are
 * published, then read by many readers at once, in random ranges, on a device that was just recovered and has hardly any
 * cache, from hosts in trouble, with readers that give up. All memory of bodies is poisoned when it is given back. A
 * reader gets the right bytes or an error, and when the hosts are well again all of them get all of it.
 */
import t, { type Test } from 'tap'
import { AppError, codeOf } from '../../src/base/errors.js'
import type { Vfs } from '../../src/mount/vfs/vfs.js'
import type { BoxDevice } from './box-device.js'
import { ChangedFiles, context, type ExpectedFile, withOpen } from './changed-files.js'
import { Dice, testSeed } from './dice.js'
import { DriveNet } from './drive-net.js'
import { HostTrouble } from './host-trouble.js'
import { PoisonedBodies } from './poisoned-bodies.js'

export interface ColdReadScale {
  /** The test's file, for who wants to repeat it. */
  command: string
  smallFiles: number
  largeBytes: readonly number[]
  epochs: number
  changesAnEpoch: number
  readers: number
  /** How long they read from hosts in trouble. */
  troubleMs: number
}

const RANGE_BYTES_MAX = 400_000
/** One read in so many is given up by who asked. */
const IMPATIENT_ONE_IN = 6
const IMPATIENT_MS_MAX = 40
/** What a mount of this size has: nothing stays for long, in memory or on disk. */
const MEMORY_BYTES = 1_500_000
const CACHE_BYTES = 4_000_000
/** A dial that nobody hears ends by then, and a busy machine has had its time. */
const WELL_AGAIN_MS = 20_000
/** What a reader may be told instead of bytes. */
const ABSENT = ['offline', 'interrupted']

export interface ReadCounts {
  right: number
  absent: number
  wrong: number
  bytes: number
}

/** One network, one seed, from the first write to the last read. */
export function coldReadTest(scale: ColdReadScale, seed = testSeed()): void {
  t.test(`what is read is what was written (SEED=${seed})`, async (t) => {
    const counts: ReadCounts = { right: 0, absent: 0, wrong: 0, bytes: 0 }
    const dice = new Dice(seed)
    const net = await DriveNet.start(t, { bodies: () => new PoisonedBodies() })
    const writer = await net.newAccount()
    const files = await writeFiles(t, writer, scale, { dice, counts })
    const reader = await net.joinAccount(writer, 'recovered')
    const drive = await reader.open({ memoryBytes: MEMORY_BYTES, cacheBytes: CACHE_BYTES })
    const trouble = new HostTrouble(net, dice, reader.id)
    trouble.start()
    const endMs = performance.now() + scale.troubleMs
    const readUntilEnd = async () => {
      while (performance.now() < endMs) await readRange(t, drive.vfs, dice.pick(files), { dice, counts })
    }
    await Promise.all(Array.from({ length: scale.readers }, readUntilEnd))
    trouble.stop()
    await Promise.all(files.map((one) => readWhole(t, drive.vfs, one, counts)))
    t.equal(counts.wrong, 0, `${JSON.stringify(counts)}, ${trouble.changes} troubles`)
    t.ok(counts.right > files.length, 'some were read')
    if (!t.passing()) t.comment(`again: SEED=${seed} npm run t -- ${scale.command}`)
  })
}

interface Chance {
  dice: Dice
  counts: ReadCounts
}

/** Several epochs; while each is on its way to the hosts, what it holds is read here. */
async function writeFiles(t: Test, writer: BoxDevice, scale: ColdReadScale, { dice, counts }: Chance) {
  const { vfs } = await writer.open()
  const changed = new ChangedFiles(dice)
  for (let epoch = 0; epoch < scale.epochs; epoch++) {
    await changed.makeSmall(vfs, Math.ceil(scale.smallFiles / scale.epochs))
    for (const [at, bytes] of scale.largeBytes.entries()) {
      if (at % scale.epochs === epoch) await changed.makeLarge(vfs, bytes)
    }
    await changed.changeSome(vfs, scale.changesAnEpoch)
    const storing = { isOver: false }
    const stored = writer.sync(60_000).finally(() => {
      storing.isOver = true
    })
    while (!storing.isOver) {
      const some = Array.from({ length: 8 }, () => dice.pick(changed.files))
      await Promise.all(some.map((one) => readRange(t, vfs, one, { dice, counts })))
    }
    await stored
  }
  await writer.close()
  return changed.files
}

async function readRange(t: Test, vfs: Vfs, one: ExpectedFile, { dice, counts }: Chance): Promise<void> {
  const offset = dice.roll(0, one.bytes.length)
  const size = dice.roll(1, dice.pick([1_000, 131_072, RANGE_BYTES_MAX]))
  const stop = new AbortController()
  const isImpatient = dice.roll(1, IMPATIENT_ONE_IN) === 1
  const timer = isImpatient
    ? setTimeout(() => stop.abort(new AppError('interrupted', 'stopped')), dice.roll(0, IMPATIENT_MS_MAX))
    : undefined
  await expectRight(t, vfs, one, { offset, size, signal: stop.signal }, counts)
  clearTimeout(timer)
}

/** From hosts that are well: what is not to be had at once is a moment later. */
async function readWhole(t: Test, vfs: Vfs, one: ExpectedFile, counts: ReadCounts): Promise<void> {
  for (let offset = 0; offset < one.bytes.length; offset += RANGE_BYTES_MAX) {
    const range = { offset, size: RANGE_BYTES_MAX, signal: new AbortController().signal }
    const endMs = performance.now() + WELL_AGAIN_MS
    let came = await expectRight(t, vfs, one, range, counts)
    while (came !== 'right' && came !== 'wrong') {
      if (performance.now() > endMs) {
        t.fail(`${one.name} at ${offset} is not to be had, all hosts are well: ${came}`)
        return
      }
      came = await expectRight(t, vfs, one, range, counts)
    }
  }
}

interface Range {
  offset: number
  size: number
  signal: AbortSignal
}

/** right, wrong, or why it is not there. */
async function expectRight(t: Test, vfs: Vfs, one: ExpectedFile, range: Range, counts: ReadCounts): Promise<string> {
  const { offset, size, signal } = range
  let found: Buffer
  try {
    found = await withOpen(vfs, one.name, async (ino, fh) =>
      Buffer.concat([await vfs.read(ino, fh, offset, size, context(signal))].flat()),
    )
  } catch (error) {
    if (!ABSENT.includes(codeOf(error))) throw error
    counts.absent++
    return reasonsOf(error)
  }
  const expected = one.bytes.subarray(offset, offset + size)
  counts.bytes += found.length
  if (found.equals(expected)) {
    counts.right++
    return 'right'
  }
  counts.wrong++
  const at = firstDifference(found, expected)
  const [is, should] = [found, expected].map((bytes) => bytes.subarray(at, at + 16).toString('hex'))
  t.fail(
    `${one.name}, ${offset} + ${size} of ${one.bytes.length}: byte ${at} is ${is}, not ${should}; ${found.length} bytes`,
  )
  return 'wrong'
}

/** From the outermost to the first cause. */
function reasonsOf(error: unknown): string {
  const reasons: string[] = []
  for (let one = error; one instanceof Error; one = one.cause) reasons.push(one.message)
  return reasons.join(' < ')
}

function firstDifference(a: Buffer, b: Buffer): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}
