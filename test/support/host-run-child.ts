/** `shardrive host run` with time that is ahead (argv 3, a file), small volumes (argv 4, bytes), and reports each second. argv 2: the folder. */
import path from 'node:path'
import { runHost } from '../../src/app/host-process.js'
import { REAL_SURROUNDINGS } from '../../src/app/surroundings.js'
import { openLog } from '../../src/base/log.js'
import type { ShardStore } from '../../src/host/shards/shard-store.js'
import { answerParent } from './answering-child.js'
import { shiftedClock } from './shifted-clock.js'

const REPORT_MS = 1_000
const CHORES_MS = 1_000
const WHOLE = { from: 0, to: 2 ** 32 }
const SHARDS_MAX = 10_000

/** `pseudonym segment index` of every shard that is served. */
function heldBy(store: ShardStore): string[] {
  const served = store.inventory.list(WHOLE, null, SHARDS_MAX).filter((one) => one.trashedAtMs === null)
  return served.map(({ pseudonym, segment, index }) => [pseudonym, segment, index].join(' ')).sort()
}

await answerParent(async () => {
  const [dir, clockFile, volumeBytes] = process.argv.slice(2) as [string, string, string]
  const surroundings = { ...REAL_SURROUNDINGS, clock: shiftedClock(clockFile) }
  const options = { reportMs: REPORT_MS, chores: { everyMs: CHORES_MS }, volumeBytesMax: Number(volumeBytes) }
  const running = await runHost(path.resolve(dir), openLog('host'), surroundings, options)
  return {
    facts: { id: running.host.host, pid: process.pid, dir },
    answer: async () => ({ ...(await running.host.status()), held: heldBy(running.host.store) }),
    stop: () => running.stop(),
  }
})
