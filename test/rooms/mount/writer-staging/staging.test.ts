import t from 'tap'
import type { LedgerRoom } from '../../../../src/mount/metadata/disk-room.js'
import type { WriteParts } from '../../../../src/mount/metadata/ledger.js'
import type { Changed, Inode } from '../../../../src/mount/metadata/types.js'
import { POSTED_BYTES_MAX, Staging } from '../../../../src/mount/writer/staging.js'
import { StagingSpace } from '../../../../src/mount/writer/staging-space.js'
import { rampBytes } from '../../../support/ramp.js'

const MIB = 1024 * 1024
const time = { sec: 1, nsec: 0 }

/** A ledger that answers when it is told to. */
function slowLedger() {
  const writes: WriteParts[] = []
  const answers: ((error?: Error) => void)[] = []
  const ledger = {
    write: (parts: WriteParts): Promise<Changed> => {
      writes.push(parts)
      return new Promise((resolve, reject) => {
        const inode = { ino: parts.ino, size: parts.offset + parts.length } as Inode
        answers.push((error) => (error ? reject(error) : resolve({ inodes: [inode] })))
      })
    },
  }
  return {
    ledger,
    writes,
    answers,
    bytesOf: (at: number) => Buffer.from(writes[at]?.bytes as ArrayBuffer, 0, writes[at]?.length),
  }
}

function stagingOf(limit = Number.MAX_SAFE_INTEGER) {
  const slow = slowLedger()
  const told: [number, number, boolean][] = []
  let left = limit
  const take = (bytes: number) => {
    if (bytes > left) return false
    left -= bytes
    return true
  }
  const space = { take, refresh: async () => {}, watch: () => {} } as unknown as StagingSpace
  const written = (ino: number, writes: number, result: Inode | Error) =>
    void told.push([ino, writes, !(result instanceof Error)])
  return { ...slow, told, staging: new Staging({ ledger: slow.ledger, space, written }) }
}

t.test('adjacent writes become one row, whatever their size', async (t) => {
  const { staging, writes, bytesOf, answers, told } = stagingOf()
  const all = rampBytes(1, 300_000)
  for (let at = 0; at < all.length; at += 1_000) void staging.add(5, 10 + at, all.subarray(at, at + 1_000), time, false)
  t.equal(writes.length, 0, 'gathered')
  staging.flush()
  t.match(writes, [{ ino: 5, offset: 10, length: 300_000 }])
  t.ok(bytesOf(0).equals(all))
  answers[0]?.()
  await new Promise(setImmediate)
  t.same(told, [[5, 300, true]])
})

t.test('a gap, another file and a full row hand over', async (t) => {
  const { staging, writes, bytesOf } = stagingOf()
  void staging.add(5, 0, rampBytes(1, 10), time, false)
  void staging.add(5, 11, rampBytes(2, 10), time, false)
  void staging.add(6, 21, rampBytes(3, 10), time, true)
  const long = rampBytes(4, 2.5 * MIB)
  for (let at = 0; at < long.length; at += MIB / 2)
    void staging.add(7, at, long.subarray(at, at + MIB / 2), time, false)
  staging.flush()
  t.same(
    writes.map((one) => [one.ino, one.offset, one.length, one.killSuidGid]),
    [
      [5, 0, 10, false],
      [5, 11, 10, false],
      [6, 21, 10, true],
      [7, 0, MIB, false],
      [7, MIB, MIB, false],
      [7, 2 * MIB, MIB / 2, false],
    ],
  )
  t.ok(Buffer.concat([bytesOf(3), bytesOf(4), bytesOf(5)]).equals(long))
  t.ok(writes.every((one) => one.bytes.byteLength <= MIB))
})

t.test('S-1 a request is in one row, so that a crash leaves it whole or not at all', async (t) => {
  const { staging, writes } = stagingOf()
  const sizes = [600_000, 600_000, MIB, 10, MIB - 10, 1]
  let offset = 0
  for (const size of sizes) {
    void staging.add(5, offset, rampBytes(1, size), time, false)
    offset += size
  }
  staging.flush()
  t.same(
    writes.map((one) => one.length),
    [600_000, 600_000, MIB, MIB, 1],
  )
})

t.test('the room of a row that was handed over as a copy serves the next one, and harms neither', async (t) => {
  const { staging, writes, bytesOf } = stagingOf()
  const [short, next] = [rampBytes(1, 100_000), rampBytes(2, 200_000)]
  for (const [at, data] of [short, next].entries()) {
    void staging.add(5, at * MIB, data, time, false)
    staging.flush()
  }
  t.ok(bytesOf(0).equals(short))
  t.ok(bytesOf(1).equals(next))
  t.ok(writes.every((one) => one.bytes.byteLength === one.length))
})

t.test('the caller may change its buffer as soon as add() returns', async (t) => {
  const { staging, bytesOf } = stagingOf()
  const data = rampBytes(1, 100)
  const want = Buffer.from(data)
  void staging.add(5, 0, data, time, false)
  data.fill(0)
  staging.flush()
  t.ok(bytesOf(0).equals(want))
})

t.test('what nobody continues is handed over after a moment', async (t) => {
  const { staging, writes } = stagingOf()
  void staging.add(5, 0, rampBytes(1, 10), time, false)
  await new Promise((resolve) => setTimeout(resolve, 250))
  t.equal(writes.length, 1)
})

t.test('beyond a bound on their way, writes wait; each is told once', async (t) => {
  const { staging, answers, told } = stagingOf()
  const chunk = rampBytes(1, MIB)
  const add = (at: number) => staging.add(5, at * MIB, chunk, time, false)
  let count = 0
  let waits = add(0)
  while (waits === undefined) waits = add(++count)
  t.equal(count, POSTED_BYTES_MAX / MIB)
  let resumed = false
  void waits.then(() => {
    resumed = true
  })
  await new Promise(setImmediate)
  t.notOk(resumed)
  answers[0]?.()
  await new Promise(setImmediate)
  t.ok(resumed)
  answers[1]?.(new Error('refused'))
  await new Promise(setImmediate)
  t.same(told, [
    [5, 1, true],
    [5, 1, false],
  ])
})

t.test('a write without room is refused before it is acknowledged, and so is one without quota', async (t) => {
  const { staging } = stagingOf(1_000)
  t.equal(staging.reserve(600), undefined)
  await t.rejects(Promise.resolve(staging.reserve(600)), { code: 'no-space' })
  const { ledger } = slowLedger()
  const space = { take: () => true, watch: () => {} } as unknown as StagingSpace
  const quota = { take: () => Promise.reject(Object.assign(new Error(), { code: 'quota-exceeded' })) }
  const strict = new Staging({ ledger, space, quota, written: () => {} })
  await t.rejects(Promise.resolve(strict.reserve(1)), { code: 'quota-exceeded' })
})

/** A disk as the ledger tells it; the answer to room() comes when the test says. */
function spaceOf(room: Partial<LedgerRoom>, floorBytes = 10 * MIB) {
  const disk = { totalBytes: 1_000 * MIB, availableBytes: 0, owedBytes: 0, spareBytes: 0, ...room }
  const held: (() => void)[] = []
  const state = { isHeld: false }
  const ask = () =>
    new Promise<LedgerRoom>((resolve) => {
      if (state.isHeld) held.push(() => resolve(disk))
      else resolve(disk)
    })
  return { space: new StagingSpace({ room: ask, monotonicMs: () => 0 }, { floorBytes }), held, state }
}

/** Rows of 1 MiB that are promised. */
function promisedRows(space: StagingSpace): number {
  let rows = 0
  while (space.take(MIB)) rows++
  return rows
}

t.test('room is what the disk has beyond what it owes and the floor, and free pages of the ledger', async (t) => {
  const fresh = spaceOf({ availableBytes: 500 * MIB })
  t.notOk(fresh.space.take(1), 'nobody looked yet')
  const rows = async (room: Partial<LedgerRoom>) => {
    const { space } = spaceOf(room)
    await space.refresh()
    return promisedRows(space)
  }
  // A row of 1 MiB may take 34 pages of 32 KiB.
  t.equal(await rows({ availableBytes: 110 * MIB }), 94)
  t.equal(await rows({ availableBytes: 110 * MIB, owedBytes: 50 * MIB }), 47)
  t.equal(await rows({ availableBytes: 9 * MIB }), 0, 'the floor')
  t.equal(await rows({ availableBytes: 9 * MIB, spareBytes: 50 * MIB }), 47, 'pages that are there need no disk')
  t.equal(await rows({ availableBytes: 9 * MIB, spareBytes: 50 * MIB, owedBytes: 10 * MIB }), 0, 'but the log does')
})

t.test(
  'what is promised while the ledger is asked, or was not handed over before, is not promised twice',
  async (t) => {
    const { space, held, state } = spaceOf({ availableBytes: 110 * MIB })
    let waiting = 0
    space.watch(() => waiting)
    await space.refresh()
    for (let rows = 0; rows < 40; rows++) t.ok(space.take(MIB))
    state.isHeld = true
    waiting = 20 * MIB
    const looked = space.refresh()
    for (let rows = 0; rows < 10; rows++) t.ok(space.take(MIB))
    for (const answer of held) answer()
    await looked
    // 100 MiB less 20 less ten rows: the forty from before are the ledger's to count.
    t.equal(promisedRows(space), 65)
  },
)

t.test('small writes cost what their facts cost', async (t) => {
  const { space } = spaceOf({ availableBytes: 11 * MIB })
  await space.refresh()
  let writes = 0
  while (space.take(1)) writes++
  t.ok(writes > 900 && writes < 1_024, `${writes} rows of a byte in a mebibyte`)
})

t.test('a write that was reserved and does not come leaves its room', async (t) => {
  const { space } = spaceOf({ availableBytes: 13 * MIB })
  const { ledger } = slowLedger()
  const staging = new Staging({ ledger, space, written: () => {} })
  for (let times = 0; times < 10; times++) {
    await staging.reserve(MIB)
    staging.forgo(MIB)
    await space.refresh()
  }
  t.equal(promisedRows(space), 2)
})
