import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Dice, testSeed } from '../../../support/dice.js'
import { open, ROOT, rampBytes, readAll, scratch } from './support.js'

const CHILD = path.resolve('dist-test/test/rooms/mount/metadata/crash-child.js')
const ROUNDS = 6

/** Runs the writer and kills it; the last number that it said was durable. */
async function writeAndKill(folder: string, start: number, afterMs: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, folder, String(start)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = -1
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (said === -1) setTimeout(() => child.kill('SIGKILL'), afterMs)
    said = Number(line)
  })
  await once(child, 'close')
  return said
}

t.test('after kill -9 the ledger is sound, holds what was synced, and nothing but a prefix', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const folder = scratch(t)
  let start = 0
  for (let round = 0; round < ROUNDS; round++) {
    const durable = await writeAndKill(folder, start, dice.roll(1, 150))
    const ledger = await open(folder)
    t.same(await ledger.check(), [], `sound after round ${round}`)
    let last = -1
    while ((await ledger.lookup(ROOT, Buffer.from(`f${last + 1}`))) !== null) last++
    t.ok(last >= durable, `f${durable} was durable, f${last} is there`)
    const page = await ledger.list(ROOT, 0, 1_000, false)
    const numbers = page.entries.map((e) => e.name.toString()).filter((name) => name.startsWith('f'))
    t.equal(numbers.length, last + 1, 'no file is missing in between')
    for (let n = start; n < last; n++) {
      const inode = await ledger.lookup(ROOT, Buffer.from(`f${n}`))
      const want = rampBytes(n, 1_000 + (n % 7) * 10_000)
      if (!(await readAll(ledger, inode?.ino ?? 0)).equals(want)) t.fail(`f${n} has other bytes`)
    }
    const current = await ledger.lookup(ROOT, Buffer.from('current'))
    const whole = [last - 1, last].filter((n) => n >= 0).map((n) => rampBytes(n, 1_000 + (n % 7) * 10_000))
    const found = await readAll(ledger, current?.ino ?? 0)
    t.ok(
      whole.some((one) => one.equals(found)),
      'what was replaced by rename is the old or the new in full',
    )
    t.equal(typeof (await ledger.reapOrphans()), 'number')
    const leftover = await ledger.lookup(ROOT, Buffer.from('new'))
    if (leftover !== null) await ledger.unlink(ROOT, Buffer.from('new'), { sec: 0, nsec: 0 }, 'file')
    if (last > durable && (await ledger.lookup(ROOT, Buffer.from(`f${last}`))) !== null) {
      // The file that was being written: the next round makes it again.
      await ledger.unlink(ROOT, Buffer.from(`f${last}`), { sec: 0, nsec: 0 }, 'file')
      last--
    }
    await ledger.reapOrphans()
    await ledger.close()
    start = last + 1
  }
})
