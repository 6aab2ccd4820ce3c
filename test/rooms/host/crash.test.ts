import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { countersAgree, openStore, orderOf, readWhole, scratchDir, sizeOfShard } from '../../support/host-folder.js'

interface Ended {
  signal: string | null
  acked: Set<number>
}

/** Runs store-child to its end; with a failpoint it dies there. */
function run(dir: string, words: string[], failpoint?: string): Promise<Ended> {
  const script = path.join(import.meta.dirname, '../../support/store-child.js')
  const env = { ...process.env, ...(failpoint ? { SHARDRIVE_FAILPOINT: failpoint } : {}) }
  const child = spawn(process.execPath, [script, dir, ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  return new Promise((resolve) => {
    child.on('close', (_, signal) => {
      const acked = new Set([...printed.matchAll(/^ack (\d+)$/gm)].map((match) => Number(match[1])))
      resolve({ signal, acked })
    })
  })
}

const COUNT = 12
const points = ['host.put.after-write', 'host.put.after-sync', 'host.put.after-index']

for (const point of points) {
  for (const withIndex of [true, false]) {
    t.test(
      `killed at ${point}, ${withIndex ? 'index kept' : 'index lost'}: acknowledged puts are there, serials too`,
      async (t) => {
        const dir = scratchDir(t)
        const before = await run(dir, ['0', String(COUNT)])
        t.equal(before.acked.size, COUNT)
        const killed = await run(dir, [String(COUNT), String(COUNT)], point)
        t.equal(killed.signal, 'SIGKILL')
        if (!withIndex) for (const end of ['', '-wal']) fs.rmSync(path.join(dir, `index.db${end}`), { force: true })
        const store = await openStore(dir)
        let found = 0
        for (let number = 0; number < 2 * COUNT; number++) {
          const { order, payload } = await orderOf(number, sizeOfShard(number), { serial: number })
          const isThere = await readWhole(store, order).then(
            (bytes) => bytes.equals(payload),
            (error) => (codeOf(error) === 'shard-not-found' ? null : codeOf(error)),
          )
          const mustBe = number < COUNT || killed.acked.has(number)
          t.ok(isThere === true || (isThere === null && !mustBe), `shard ${number}: ${isThere}`)
          if (isThere === true) found += 1
          // The serial counts exactly when the record does.
          const again = await store.put(order, payload).then(
            () => 'stored',
            (error) => codeOf(error),
          )
          t.equal(again, isThere ? 'token-used' : 'stored', `serial of ${number}`)
        }
        if (point !== 'host.put.after-write') t.ok(found > COUNT, 'what was synced is found again')
        t.ok(countersAgree(store, dir))
        t.equal(store.totals().shards, 2 * COUNT)
        await store.stop()
      },
    )
  }
}

t.test('killed while deleting: acknowledged deletes hold, also without the index', async (t) => {
  const root = scratchDir(t)
  for (const point of points) {
    const dir = path.join(root, point)
    fs.mkdirSync(dir, { recursive: true })
    await run(dir, ['0', String(COUNT)])
    const killed = await run(dir, ['0', String(COUNT), 'remove'], point)
    t.equal(killed.signal, 'SIGKILL')
    for (const end of ['', '-wal']) fs.rmSync(path.join(dir, `index.db${end}`), { force: true })
    const store = await openStore(dir)
    for (let number = 0; number < COUNT; number++) {
      const { order, payload } = await orderOf(number, sizeOfShard(number))
      const isThere = await readWhole(store, order).then(
        (bytes) => bytes.equals(payload),
        (error) => (codeOf(error) === 'shard-not-found' ? null : codeOf(error)),
      )
      t.ok(isThere === null || (isThere === true && !killed.acked.has(number)), `${point}: shard ${number}: ${isThere}`)
    }
    t.ok(countersAgree(store, dir))
    await store.stop()
  }
})

t.test('killed at any moment, again and again: nothing acknowledged is lost', async (t) => {
  const dir = scratchDir(t)
  const acked = new Set<number>()
  for (let round = 0; round < 6; round++) {
    const point = points[round % points.length]
    const killed = await run(dir, [String(round * COUNT), String(COUNT)], `${point}:${1 + (round % 2)}`)
    for (const number of killed.acked) acked.add(number)
  }
  const store = await openStore(dir)
  for (const number of acked) {
    const { order, payload } = await orderOf(number, sizeOfShard(number))
    t.ok((await readWhole(store, order)).equals(payload), `shard ${number}`)
  }
  t.ok(countersAgree(store, dir))
  await store.stop()
})
