/** kill -9 in the middle of a burst and of the end of a round: what was found is found once, and costs once. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import t from 'tap'
import { Lab, type LabHost } from '../support/audit-lab.js'
import { scratchFolder } from '../support/scratch-folder.js'

const CHILD = path.join(import.meta.dirname, '../support/audit-child.js')

async function runAndDie(dir: string, failpoint: string): Promise<void> {
  const env = { ...process.env, SHARDRIVE_FAILPOINT: failpoint }
  const child = spawn(process.execPath, [CHILD, dir], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const signal = await new Promise<string | null>((resolve) => child.on('close', (_, by) => resolve(by)))
  if (signal !== 'SIGKILL') throw new Error(`the child ended by ${signal}`)
}

for (const failpoint of [
  'bridge.audit.asked:1',
  'bridge.audit.inside:1',
  'bridge.audit.saved:1',
  'bridge.audit.closing:1',
  'bridge.audit.asked:2',
  'bridge.audit.saved:2',
]) {
  t.test(`killed at ${failpoint}: both shards are lost in the end, two failures are counted and no more`, async (t) => {
    const { folder, remove } = scratchFolder()
    t.teardown(remove)
    await runAndDie(folder, failpoint)
    const lab = await Lab.reopen(folder, { hosts: 4, segments: 6 })
    t.teardown(() => lab.stop())
    const host = lab.hosts[0] as LabHost
    for (const shard of [...host.shards.keys()].slice(0, 2)) host.shards.delete(shard)
    for (let nth = 0; nth < 2; nth++) await lab.burst(host)
    const standing = await lab.standing(host)
    t.match(standing, { shards: 4, state: 'good', verdicts: { fail: 2 } })
    t.ok(standing.score > 0.998, String(standing.score))
    const stored = await Promise.all([1, 2, 3, 4, 5, 6].map((row) => lab.store.segments.loadRow(row)))
    t.same(stored.map((one) => one?.stored).sort(), [3, 3, 4, 4, 4, 4], 'counters and rows agree')
    t.equal(stored.flatMap((one) => one?.shards ?? []).filter((one) => one.lost).length, 2)
  })
}
