import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { silentLog } from '../../../../src/base/log.js'
import { segmentId } from '../../../../src/model/ids.js'
import { UNIT_BYTES } from '../../../../src/model/segment.js'
import { CacheClient, type CacheOptions } from '../../../../src/mount/cache/cache-client.js'
import { capturedLog } from '../../../support/captured-log.js'
import { until } from '../../../support/named.js'
import { noiseBytes } from '../../../support/noise.js'
import { rampBytes } from '../../../support/ramp.js'
import { revealed, secretOf } from '../../../support/secrets.js'

const MIB = 1_048_576
const segmentOf = (seed: number) => segmentId(noiseBytes(seed, 32))
const unitOf = (seed: number, unit: number) => rampBytes(seed * 10_000 + unit, UNIT_BYTES)

function folderOf(t: Test): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-cache-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}

function open(dir: string, changes: Partial<CacheOptions> = {}): Promise<CacheClient> {
  const options = { file: path.join(dir, 'cache.db'), key: secretOf(noiseBytes(1, 32)), budgetBytes: 64 * MIB }
  return CacheClient.open({ ...options, floorBytes: 0, log: silentLog, ...changes })
}

function unitsOf(seed: number, count: number) {
  return Array.from({ length: count }, (_, unit) => ({ unit, bytes: unitOf(seed, unit) }))
}

/** The put queue is empty when this resolves: closing it writes everything. */
async function reopened(cache: CacheClient, dir: string): Promise<CacheClient> {
  await cache.close()
  return open(dir)
}

t.test('units go to the disk and come back, each in memory of its own', async (t) => {
  const dir = folderOf(t)
  const key = secretOf(noiseBytes(1, 32))
  let cache = await open(dir, { key })
  t.equal(revealed(key), noiseBytes(1, 32).toString('hex'), 'the key stays the caller’s')
  const big = Buffer.concat(unitsOf(1, 20).map(({ bytes }) => bytes))
  const views = Array.from({ length: 20 }, (_, unit) => ({
    unit,
    bytes: big.subarray(unit * UNIT_BYTES, (unit + 1) * UNIT_BYTES),
  }))
  cache.put(segmentOf(1), [...views, { unit: 20, bytes: Buffer.from('end') }])
  big.fill(0)
  t.same((await cache.get(segmentOf(1), [20]))[0]?.toString(), 'end', 'also before it has left this thread')
  cache = await reopened(cache, dir)
  const found = await cache.get(segmentOf(1), [19, 3, 21, 20])
  t.ok(found[0]?.equals(unitOf(1, 19)))
  t.ok(found[1]?.equals(unitOf(1, 3)))
  t.equal(found[2], null)
  t.equal(found[3]?.toString(), 'end')
  for (const one of [found[0], found[1]]) t.equal(one?.buffer.byteLength, UNIT_BYTES)
  t.match(await cache.stats(), { hits: 3, misses: 1, droppedUnits: 0, trouble: null })
  await cache.close()
})

t.test('what comes faster than the disk takes it is dropped, never waited for', async (t) => {
  const dir = folderOf(t)
  let cache = await open(dir, { budgetBytes: 256 * MIB })
  const units = unitsOf(1, 16)
  for (let seed = 0; seed < 40; seed++) cache.put(segmentOf(seed), units)
  const { droppedUnits } = await cache.stats()
  t.equal(droppedUnits, (40 - 32) * 16, '32 MiB wait at most')
  cache = await reopened(cache, dir)
  t.not((await cache.get(segmentOf(31), [15]))[0], null)
  t.same(await cache.get(segmentOf(32), [0]), [null])
  cache.put(segmentOf(32), units)
  cache = await reopened(cache, dir)
  t.not((await cache.get(segmentOf(32), [0]))[0], null)
  await cache.close()
})

t.test('a lone unit reaches the disk soon', async (t) => {
  const dir = folderOf(t)
  const cache = await open(dir)
  cache.put(segmentOf(1), unitsOf(1, 1))
  for (let i = 0; i < 50 && (await cache.stats()).runs === 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal((await cache.stats()).runs, 1)
  await cache.close()
})

t.test('a smaller budget is obeyed at once', async (t) => {
  const dir = folderOf(t)
  const cache = await open(dir)
  for (let seed = 0; seed < 20; seed++) cache.put(segmentOf(seed), unitsOf(seed, 16))
  cache.setBudget(4 * MIB)
  for (let i = 0; i < 100 && (await cache.stats()).fileBytes > 5 * MIB; i++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  t.ok((await cache.stats()).fileBytes <= 5 * MIB)
  await cache.close()
})

t.test('after it is closed everything is a miss and nothing fails', async (t) => {
  const cache = await open(folderOf(t))
  cache.put(segmentOf(1), unitsOf(1, 1))
  const waiting = cache.get(segmentOf(2), [0])
  await cache.close()
  t.same(await waiting, [null])
  t.same(await cache.get(segmentOf(1), [0]), [null])
  cache.put(segmentOf(1), unitsOf(1, 1))
  cache.setBudget(1)
  t.match(await cache.stats(), { trouble: 'cache-stopped' })
  await cache.close()
})

const canMount = process.platform === 'linux' && process.getuid?.() === 0
t.test('a disk that is full fails no read', { skip: canMount ? false : 'needs root on Linux' }, async (t) => {
  const dir = folderOf(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    t.comment('a tmpfs cannot be mounted here')
    return
  }
  t.teardown(() => execFileSync('umount', ['-l', dir]))
  // No floor: the cache runs into the wall itself.
  const cache = await open(dir)
  for (let seed = 0; seed < 20; seed++) cache.put(segmentOf(seed), unitsOf(seed, 16))
  const found = await cache.get(segmentOf(0), [0, 1])
  t.equal(found.length, 2)
  // The wall is met some time after a put: then all of the cache's room goes back.
  const fits = () =>
    spawnSync('dd', ['if=/dev/zero', `of=${dir}/other`, 'bs=1M', 'count=1'], { stdio: 'ignore' }).status === 0
  await until(fits, 20_000)
  const stats = await cache.stats()
  t.ok(stats.fileBytes < 8 * MIB)
  await cache.close()
})

t.test('S-20 a cache that is begun anew is told: at the start to who opens it, and always to the log', async (t) => {
  const dir = folderOf(t)
  const file = path.join(dir, 'cache.db')
  const { log, text } = capturedLog()
  const first = await open(dir, { log })
  first.put(segmentOf(1), unitsOf(1, 16))
  await first.close()
  const sound = await open(dir, { log })
  t.equal(sound.anewAtStart, null)
  t.equal(text(), '')
  await sound.close()
  fs.writeFileSync(file, noiseBytes(1, 100_000))
  const begun = await open(dir, { log })
  t.equal(begun.anewAtStart, 'database-damaged')
  t.match(text(), /^\{.*database-damaged.*begun anew.*\}\n$/, 'in one line')
  t.match(await begun.stats(), { restarts: 1, trouble: null })
  t.same(await begun.get(segmentOf(1), [0]), [null])
  begun.put(segmentOf(1), unitsOf(1, 1))
  await begun.close()
  const after = await open(dir, { log })
  t.equal(after.anewAtStart, null)
  await after.close()
})
