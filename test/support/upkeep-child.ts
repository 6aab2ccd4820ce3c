/**
 * A process of its own that scrubs a store with damaged shards, tells of its losses, puts one again and empties the trash,
 * for tests that kill it: node upkeep-child.js DIR. Prints `ack WHAT N`.
 */
import fs from 'node:fs'
import { TRASH_MS } from '../../src/host/shards/upkeep.js'
import { NOW_MS, openStore, orderOf } from './host-folder.js'

export const KEPT = 12
export const KEPT_BYTES = 20_000
export const KEPT_VOLUME_BYTES = 100_000
/** Their payloads are spoilt before. */
export const SPOILT = [2, 7]
/** In the trash, whose time is over when it is emptied. */
export const THROWN = [0, 4, 9]

async function tendStore(dir: string, ack: (what: string, number: number) => void): Promise<void> {
  let nowMs = NOW_MS
  const store = await openStore(dir, { volumeBytesMax: KEPT_VOLUME_BYTES, nowMs: () => nowMs })
  const { signal } = new AbortController()
  while (!(await store.upkeep.scrub(3 * KEPT_BYTES, signal)).isThrough) ack('scrub', 0)
  const losses = store.upkeep.losses(10)
  ack('losses', losses.length)
  await store.upkeep.settleLosses(losses)
  ack('settled', losses.length)
  const again = await orderOf(SPOILT[0] as number, KEPT_BYTES, { generation: 2 })
  await store.put(again.order, again.payload)
  ack('put', SPOILT[0] as number)
  nowMs += TRASH_MS
  await store.upkeep.purgeTrash()
  ack('purged', 0)
  await store.stop()
}

if (process.argv[2]) await tendStore(process.argv[2], (what, number) => fs.writeSync(1, `ack ${what} ${number}\n`))
