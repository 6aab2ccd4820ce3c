/** A store with its chores on a clock that the test drives. */
import path from 'node:path'
import type { Clock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { Chores, type ChoresOptions } from '../../src/host/chores/chores.js'
import { Kept } from '../../src/host/ledger/kept.js'
import type { ShardStore } from '../../src/host/shards/shard-store.js'
import { openStore } from './host-folder.js'

export interface ChoresBench {
  store: ShardStore
  chores: Chores
  kept: Kept
  stop(): Promise<void>
}

/** `kept` of the chores is a file of its own: that of the store is open already. */
export async function choresOn(
  dir: string,
  clock: Clock,
  options: ChoresOptions & { mayWork?: () => boolean; volumeBytesMax?: number } = {},
): Promise<ChoresBench> {
  const { mayWork = () => true, volumeBytesMax, ...rest } = options
  const nowMs = () => clock.nowMs()
  const store = await openStore(dir, { nowMs, ...(volumeBytesMax === undefined ? {} : { volumeBytesMax }) })
  const kept = Kept.open(path.join(dir, 'chores.db'))
  const chores = new Chores({ store, kept, clock, log: silentLog, mayWork }, rest)
  const stop = async () => {
    await chores.stop()
    await store.stop()
    kept.close()
  }
  return { store, chores, kept, stop }
}
