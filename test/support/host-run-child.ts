/** `shardrive host run` with time that is ahead (argv 3, a file) and reports each second. argv 2: the folder. */
import path from 'node:path'
import { runHost } from '../../src/app/host-process.js'
import { REAL_SURROUNDINGS } from '../../src/app/surroundings.js'
import { openLog } from '../../src/base/log.js'
import { answerParent } from './answering-child.js'
import { shiftedClock } from './shifted-clock.js'

const REPORT_MS = 1_000

await answerParent(async () => {
  const [dir, clockFile] = process.argv.slice(2) as [string, string]
  const surroundings = { ...REAL_SURROUNDINGS, clock: shiftedClock(clockFile) }
  const running = await runHost(path.resolve(dir), openLog('host'), surroundings, { reportMs: REPORT_MS })
  return {
    facts: { id: running.host.host, pid: process.pid, dir },
    answer: async () => ({ ...(await running.host.status()) }),
    stop: () => running.stop(),
  }
})
