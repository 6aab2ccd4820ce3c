/** A host that is killed at each step of a compaction: what was acknowledged holds, with its index and without. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import type { ShardStore } from '../../../src/host/shards/shard-store.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import { COMPACTED, COMPACTED_BYTES, COMPACTED_VOLUME_BYTES } from '../../support/compact-child.js'
import {
  checkStore,
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
} from '../../support/host-folder.js'

/** What was acknowledged, in order, and whether the process was killed. */
function run(dir: string, failpoint: string): Promise<{ signal: string | null; acks: [string, number][] }> {
  const script = path.join(import.meta.dirname, '../../support/compact-child.js')
  const env = { ...process.env, SHARDRIVE_FAILPOINT: failpoint }
  const child = spawn(process.execPath, [script, dir], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  return new Promise((resolve) => {
    child.on('close', (_, signal) => {
      const acks = [...printed.matchAll(/^ack (\w+) (\d+)$/gm)].map((one): [string, number] => [
        one[1]!,
        Number(one[2]),
      ])
      resolve({ signal, acks })
    })
  })
}

/** Of each shard: whether it must be served; null: what was under way may or may not have happened. */
function expected(acks: [string, number][]): Map<number, boolean | null> {
  const served = new Map<number, boolean | null>()
  for (const [what, number] of acks) if (what !== 'purge') served.set(number, what !== 'remove')
  const isOver = acks.some(([what]) => what === 'purge')
  const racing: [string, number][] = [
    ['put', 3],
    ['restore', 1],
    ['remove', 2],
    ['put', COMPACTED],
  ]
  // The second time that it is done: the first one is part of what came before.
  const times = (what: string, number: number) => acks.filter((one) => one[0] === what && one[1] === number).length
  for (const [what, number] of racing) {
    if (isOver && times(what, number) < (what === 'put' && number < COMPACTED ? 2 : 1)) served.set(number, null)
  }
  return served
}

async function isServed(store: ShardStore, number: number): Promise<boolean> {
  const { order, payload } = await orderOf(number, COMPACTED_BYTES)
  return readWhole(store, order).then(
    (bytes) => bytes.equals(payload),
    (error) => {
      if (codeOf(error) !== 'shard-not-found') throw error
      return false
    },
  )
}

const points = ['after-copy', 'after-covers', 'before-unlink', 'after-unlink'].flatMap((name) => [
  `host.compact.${name}:1`,
  `host.compact.${name}:3`,
])
points.push('host.put.after-write:42', 'host.put.after-sync:42', 'host.put.after-index:42')

for (const point of points) {
  t.test(`killed at ${point}: what was acknowledged holds, and fsck finds nothing`, async (t) => {
    const dir = scratchDir(t)
    const { signal, acks } = await run(dir, point)
    t.equal(signal, 'SIGKILL')
    const wanted = expected(acks)
    const options = { volumeBytesMax: COMPACTED_VOLUME_BYTES, nowMs: () => NOW_MS + TRASH_MS }
    for (const pass of ['with its index', 'without it', 'compacted again']) {
      if (pass === 'without it') fs.rmSync(path.join(dir, 'index.db'))
      const store = await openStore(dir, options)
      if (pass === 'without it') await store.upkeep.purgeTrash()
      if (pass === 'compacted again') {
        await store.upkeep.compact({ deadShareMin: 0, signal: new AbortController().signal })
        t.equal(store.totals().deadBytes, 0)
      }
      const wrong: string[] = []
      for (const [number, must] of wanted) {
        const is = await isServed(store, number)
        if (must !== null && is !== must) wrong.push(`${number} is ${is ? 'served' : 'not served'}`)
      }
      t.same(wrong, [], pass)
      t.ok(countersAgree(store, dir), pass)
      t.same(store.upkeep.losses(10), [])
      await store.stop()
      t.same((await checkStore(dir, options.nowMs)).findings, [], pass)
    }
  })
}
