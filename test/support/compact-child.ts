/**
 * A process of its own that throws shards away and compacts, for tests that kill it: node compact-child.js DIR.
 * Shards 0 to 23 are there; it deletes every third, restores every ninth, empties the trash of what was deleted before
 * `AFTER_MS`, puts others, and compacts everything. Prints `ack WHAT N`.
 */
import fs from 'node:fs'
import { TRASH_MS } from '../../src/host/shards/upkeep.js'
import { NOW_MS, openStore, orderOf } from './host-folder.js'

export const COMPACTED = 24
export const COMPACTED_BYTES = 20_000
export const COMPACTED_VOLUME_BYTES = 100_000

export async function actOnStore(dir: string, ack: (what: string, number: number) => void): Promise<void> {
  let nowMs = NOW_MS
  const store = await openStore(dir, { volumeBytesMax: COMPACTED_VOLUME_BYTES, nowMs: () => nowMs })
  const act = async (what: 'put' | 'remove' | 'restore', number: number) => {
    const { order, payload } = await orderOf(number, COMPACTED_BYTES)
    if (what === 'put') await store.put(order, payload)
    else await store[what](order)
    ack(what, number)
  }
  for (let number = 0; number < COMPACTED; number++) await act('put', number)
  for (let number = 0; number < COMPACTED; number += 3) await act('remove', number)
  for (let number = 0; number < COMPACTED; number += 9) await act('restore', number)
  nowMs += TRASH_MS
  await store.upkeep.purgeTrash()
  ack('purge', 0)
  for (let number = 1; number < COMPACTED; number += 6) await act('remove', number)
  const { signal } = new AbortController()
  await Promise.all([
    store.upkeep.compact({ deadShareMin: 0, signal }),
    act('put', 3),
    act('restore', 1),
    act('remove', 2),
    act('put', COMPACTED),
  ])
  ack('compact', 0)
  await store.upkeep.compact({ deadShareMin: 0, signal })
  await store.stop()
}

if (process.argv[2]) await actOnStore(process.argv[2], (what, number) => fs.writeSync(1, `ack ${what} ${number}\n`))
