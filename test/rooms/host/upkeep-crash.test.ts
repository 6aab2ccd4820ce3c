/** A host that is killed while it scrubs, notes and tells losses, or empties its trash: with its index and without. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import type { ShardStore } from '../../../src/host/shards/shard-store.js'
import { TRASH_MS } from '../../../src/host/shards/upkeep.js'
import {
  checkStore,
  countersAgree,
  NOW_MS,
  openStore,
  orderOf,
  readWhole,
  scratchDir,
  volumeFile,
} from '../../support/host-folder.js'
import { KEPT, KEPT_BYTES, KEPT_VOLUME_BYTES, SPOILT, THROWN } from '../../support/upkeep-child.js'

const { signal } = new AbortController()
const options = { volumeBytesMax: KEPT_VOLUME_BYTES }

/** All are put, some thrown away, some payloads spoilt on the disk. */
async function folder(t: { teardown(work: () => void): void }): Promise<string> {
  const dir = scratchDir(t)
  const store = await openStore(dir, options)
  for (let number = 0; number < KEPT; number++) {
    const { order, payload } = await orderOf(number, KEPT_BYTES)
    await store.put(order, payload)
  }
  for (const number of THROWN) await store.remove((await orderOf(number, KEPT_BYTES)).order)
  await store.stop()
  for (const number of SPOILT) spoil(dir, (await orderOf(number, KEPT_BYTES)).payload.subarray(5_000, 5_100))
  return dir
}

/** Flips a bit of these bytes, wherever they lie. */
function spoil(dir: string, some: Buffer): void {
  for (let number = 1; fs.existsSync(volumeFile(dir, number)); number++) {
    const bytes = fs.readFileSync(volumeFile(dir, number))
    const at = bytes.indexOf(some)
    if (at < 0) continue
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    fs.writeFileSync(volumeFile(dir, number), bytes)
    return
  }
  throw new Error('not on the disk')
}

function run(dir: string, failpoint: string): { signal: string | null; acks: string[] } {
  const script = path.join(import.meta.dirname, '../../support/upkeep-child.js')
  const env = { ...process.env, SHARDRIVE_FAILPOINT: failpoint }
  const ended = spawnSync(process.execPath, [script, dir], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  return {
    signal: ended.signal,
    acks: [...String(ended.stdout).matchAll(/^ack (\w+)/gm)].map((one) => one[1] as string),
  }
}

async function outcome(store: ShardStore, number: number): Promise<string> {
  const { order, payload } = await orderOf(number, KEPT_BYTES)
  return readWhole(store, order).then(
    (bytes) => (bytes.equals(payload) ? 'served' : 'other bytes'),
    (error) => String(codeOf(error)),
  )
}

/** What must be served, and that nothing wrong is; and that what was lost is told, until it was. */
async function look(store: ShardStore, acks: readonly string[]): Promise<string[]> {
  const wrong: string[] = []
  for (let number = 0; number < KEPT; number++) {
    const is = await outcome(store, number)
    const mayBeServed = !THROWN.includes(number) && (!SPOILT.includes(number) || number === SPOILT[0])
    const mustBeServed = mayBeServed && (!SPOILT.includes(number) || acks.includes('put'))
    if (is === 'other bytes' || (is === 'served' ? !mayBeServed : mustBeServed)) wrong.push(`${number}: ${is}`)
  }
  return wrong
}

const points = [
  'host.scrub.before-place:1',
  'host.scrub.before-place:3',
  'host.losses.after-kept:1',
  'host.losses.after-kept:2',
  'host.losses.before-settled:1',
  'host.put.after-write:1',
  'host.put.after-index:2',
  'host.put.after-index:3',
  'host.trash.after-rows:1',
]

for (const point of points) {
  t.test(`killed at ${point}: served and lost are told apart, and fsck finds nothing else`, async (t) => {
    const dir = await folder(t)
    const { signal: killed, acks } = run(dir, point)
    t.equal(killed, 'SIGKILL')
    const isOver = acks.includes('put')
    const nowMs = () => NOW_MS + (isOver ? TRASH_MS : 0)
    for (const pass of ['with its index', 'without it']) {
      if (pass === 'without it') fs.rmSync(path.join(dir, 'index.db'))
      const store = await openStore(dir, { ...options, nowMs })
      await store.upkeep.purgeTrash()
      t.same(await look(store, acks), [], pass)
      while (!(await store.upkeep.scrub(1_000_000, signal)).isThrough);
      const lost = store.upkeep.losses(10).length
      if (acks.includes('settled')) t.equal(lost, 0, `${pass}: it was told`)
      else t.ok(lost === 2 || acks.includes('losses'), `${pass}: ${lost} to tell`)
      if (isOver) t.equal(store.totals().trashShards, 0, 'nothing past its day')
      t.ok(countersAgree(store, dir), pass)
      await store.stop()
      const found = (await checkStore(dir, nowMs)).findings.filter((one) => one.code !== 'shard-damaged')
      t.same(found, [], pass)
    }
    const store = await openStore(dir, { ...options, nowMs })
    await store.upkeep.settleLosses(store.upkeep.losses(10))
    await store.upkeep.compact({ deadShareMin: 0, signal })
    t.same(await look(store, acks), [], 'compacted')
    await store.stop()
    t.same((await checkStore(dir, nowMs)).findings, [], 'compacted: sound')
  })
}
