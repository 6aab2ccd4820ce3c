/** Chores of a host: on their clock, one at a time, and by hand. */
import fs from 'node:fs'
import t from 'tap'
import { Pace } from '../../../src/host/chores/pace.js'
import { dueBytes, nextRound, SCRUB_MS } from '../../../src/host/chores/scrub-plan.js'
import { isTidyDue, TIDY_MS, tidyBytesMax } from '../../../src/host/chores/tidy-plan.js'
import { payloadOffset, recordBytes, VOLUME_BYTES_MAX } from '../../../src/host/shards/offsets.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import { choresOn } from '../../support/chores-host.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { NOW_MS, orderOf, readWhole, scratchDir, volumeFile } from '../../support/host-folder.js'

const SIZE = 30_000
const DAY_MS = 24 * 3_600_000

/** Until it is so, while the clock moves on by minutes. */
async function moveUntil(clock: DrivenClock, isSo: () => boolean, minutesMax = 60): Promise<boolean> {
  for (let minute = 0; minute < minutesMax && !isSo(); minute++) {
    await clock.advance(60_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return isSo()
}

t.test('a week after it was thrown away a shard is gone, and its bytes are given back', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  const { store, chores, stop } = await choresOn(dir, clock, { volumeBytesMax: 100_000 })
  chores.start()
  for (let number = 0; number < 9; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  for (const number of [0, 1, 3, 4]) await store.remove((await orderOf(number, SIZE)).order)
  await clock.leap(TRASH_MS - 120_000)
  t.equal(store.totals().trashShards, 4)
  t.ok(await moveUntil(clock, () => store.totals().trashShards === 0), 'the trash was emptied')
  t.ok(await moveUntil(clock, () => store.totals().volumes === 2), 'and the volumes compacted')
  const kept = await orderOf(2, SIZE)
  t.ok((await readWhole(store, kept.order)).equals(kept.payload))
  await stop()
})

t.test('the scrub meets every shard once in 30 days, and goes on after a restart', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  const options = { everyMs: DAY_MS / 2 }
  let bench = await choresOn(dir, clock, options)
  const count = 30
  for (let number = 0; number < count; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await bench.store.put(order, payload)
  }
  await bench.store.stop()
  const file = fs.openSync(volumeFile(dir), 'r+')
  for (const at of [4, 28]) {
    fs.writeSync(file, Buffer.from([0xee, 0xee]), 0, 2, payloadOffset(64 + at * recordBytes(SIZE)) + 77)
  }
  fs.closeSync(file)
  bench.kept.close()
  bench = await choresOn(dir, clock, options)
  bench.chores.start()
  const pass = async (days: number) => {
    for (let half = 0; half < days * 2; half++) {
      await clock.advance(DAY_MS / 2)
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
  }
  await pass(10)
  t.equal(bench.store.totals().damagedShards, 1, 'a third of the time, a third of the shards')
  await bench.stop()
  bench = await choresOn(dir, clock, options)
  bench.chores.start()
  await pass(22)
  t.equal(bench.store.totals().damagedShards, 2)
  t.equal(bench.store.upkeep.losses(10).length, 2)
  await bench.stop()
})

t.test('chores that are pulled by hand do all of it at once', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  const { store, chores, stop } = await choresOn(dir, clock)
  for (let number = 0; number < 5; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  await store.remove((await orderOf(1, SIZE)).order)
  await clock.leap(TRASH_MS)
  t.equal(await chores.pullPurge(), 1)
  t.equal(await chores.pullCompaction(0), 1)
  t.equal(await chores.pullScrub(), 0)
  const { volumeBytes, liveBytes, volumes } = store.totals()
  t.equal(volumeBytes, liveBytes + 64 * volumes)
  await stop()
})

t.test('of a volume of which little is dead, that little is given back within a day, to the byte', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  const { store, chores, stop } = await choresOn(dir, clock, { volumeBytesMax: 300_000 })
  for (let number = 0; number < 25; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  for (const number of [1, 24]) await store.remove((await orderOf(number, SIZE)).order)
  await clock.leap(TRASH_MS)
  t.equal(await chores.pullPurge(), 2)
  t.equal(await chores.pullCompaction(), 0, 'not worth it at once')
  const exact = () => {
    const { volumeBytes, liveBytes, volumes } = store.totals()
    return volumeBytes === liveBytes + 64 * volumes
  }
  t.notOk(exact())
  chores.start()
  t.ok(await moveUntil(clock, exact))
  for (const number of [0, 2, 23]) {
    const kept = await orderOf(number, SIZE)
    t.ok((await readWhole(store, kept.order)).equals(kept.payload))
  }
  await stop()
})

t.test('a large host tidies up where most is given back, and not more in a day than its disk bears', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  const { store, chores, stop } = await choresOn(dir, clock, { volumeBytesMax: 300_000 })
  for (let number = 0; number < 45; number++) {
    const { order, payload } = await orderOf(number, SIZE)
    await store.put(order, payload)
  }
  // Volumes of nine: one of the first dead, two of the third, none of the others.
  for (const number of [1, 19, 20]) await store.remove((await orderOf(number, SIZE)).order)
  await clock.leap(TRASH_MS)
  await chores.pullPurge()
  const { signal } = new AbortController()
  const deadBefore = store.totals().deadBytes
  t.equal(await store.upkeep.tidy({ copiedBytesMax: 1, signal }), 1)
  t.equal(Math.round((deadBefore - store.totals().deadBytes) / recordBytes(SIZE)), 2, 'the third, and no other')
  t.equal(await store.upkeep.tidy({ copiedBytesMax: 1, signal }), 1)
  t.ok(store.totals().deadBytes < recordBytes(SIZE))
  t.equal(tidyBytesMax(10_000_000_000_000), 100_000_000_000)
  t.equal(tidyBytesMax(0), VOLUME_BYTES_MAX)
  t.notOk(isTidyDue(NOW_MS, NOW_MS + TIDY_MS - 1))
  t.ok(isTidyDue(NOW_MS + 2 * TIDY_MS, NOW_MS), 'of a clock that was set back')
  await stop()
})

t.test('nothing is touched while the disk is ill', async (t) => {
  const dir = scratchDir(t)
  const clock = new DrivenClock(NOW_MS)
  let isWell = false
  const { store, chores, stop } = await choresOn(dir, clock, { mayWork: () => isWell })
  chores.start()
  const { order, payload } = await orderOf(1, SIZE)
  await store.put(order, payload)
  await store.remove((await orderOf(1, SIZE)).order)
  await clock.leap(TRASH_MS + 600_000)
  await moveUntil(clock, () => false, 3)
  t.equal(store.totals().trashShards, 1)
  isWell = true
  t.ok(await moveUntil(clock, () => store.totals().trashShards === 0))
  await stop()
})

t.test('a chore waits for requests, though not for ever, and keeps to its rate', async (t) => {
  const clock = new DrivenClock(NOW_MS)
  const { signal } = new AbortController()
  let busy = false
  const pace = new Pace({ clock, isBusy: () => busy, signal }, { bytesPerSecondMax: 1_000_000, patienceMs: 1_000 })
  const msOf = async (bytes: number) => {
    const fromMs = clock.nowMs()
    let tookMs: number | null = null
    void pace.after(bytes).then(() => {
      tookMs = clock.nowMs() - fromMs
    })
    for (let at = 0; at < 100 && tookMs === null; at++) await clock.advance(50)
    return tookMs
  }
  t.equal(await msOf(1_000_000), 1_000)
  busy = true
  t.equal(await msOf(0), 1_000)
})

t.test('what is due of a round is the share of its time, and all of it at its end', async (t) => {
  const fresh = nextRound({ roundBeganMs: 0, doneBytes: 0, isThrough: false }, NOW_MS)
  t.same(fresh, { roundBeganMs: NOW_MS, doneBytes: 0, isThrough: false })
  t.equal(dueBytes(fresh, 1_000_000, NOW_MS + SCRUB_MS / 2, 10 ** 9), 500_000)
  t.equal(dueBytes({ ...fresh, doneBytes: 400_000 }, 1_000_000, NOW_MS + SCRUB_MS / 2, 10 ** 9), 100_000)
  t.equal(dueBytes(fresh, 1_000_000, NOW_MS + SCRUB_MS / 2, 1_000), 1_000, 'in slices')
  t.equal(dueBytes({ ...fresh, doneBytes: 2_000_000 }, 1_000_000, NOW_MS + SCRUB_MS, 1_000), 1_000)
  const through = { ...fresh, isThrough: true }
  t.equal(dueBytes(through, 1_000_000, NOW_MS + SCRUB_MS, 1_000), 0)
  t.equal(nextRound(through, NOW_MS + SCRUB_MS - 1), through)
  t.same(nextRound(through, NOW_MS + SCRUB_MS), { roundBeganMs: NOW_MS + SCRUB_MS, doneBytes: 0, isThrough: false })
})
