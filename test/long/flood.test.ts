// What a flood of writes costs the daemon: memory while it lasts, and the disk under the state directory afterwards.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/named.js'

const MIB = 1_048_576
const WRITTEN_MIB = 512
/** Measured 270 to 330 (docs/performance.md), 430 to 950 before rows and segments had budgets of their own. */
const PEAK_BYTES_MAX = 400 * MIB
/** Kept for the next flood: free pages of a cut, as much of the log, and what is known of the files. */
const STATE_BYTES_MAX = 160 * MIB
t.setTimeout(290_000)

t.test('a flood of writes', { skip: noMounts(), timeout: 280_000 }, async (t) => {
  const network = await HostsProcess.start(t, { hosts: 5, scheme: '2/4' })
  const { mount, state, mountPid } = network.facts

  await t.test('daemon memory stays within its budgets', async (t) => {
    const file = path.join(mount, 'flood')
    const dd = spawn('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', `count=${WRITTEN_MIB}`], { stdio: 'ignore' })
    t.same(await once(dd, 'exit'), [0, null])
    t.match(await network.command(['sync', '--timeout', '190']), { status: 0 })
    const peak = peakBytes(mountPid)
    t.comment(`peak ${Math.round(peak / MIB)} MiB`)
    t.ok(peak > 0 && peak <= PEAK_BYTES_MAX, `${peak} bytes`)
  })

  await t.test('staged rows and the log that carried them are given back', async (t) => {
    const bytes = () => ['ledger.db', 'ledger.db-wal'].reduce((sum, name) => sum + sizeOf(path.join(state, name)), 0)
    await until(() => bytes() <= STATE_BYTES_MAX, 60_000)
    t.comment(`${Math.round(bytes() / MIB)} MiB are left`)
    t.match(await network.status(), { local: { bytes: 0 }, readOnly: null })
  })
})

/** The most memory that the process has had. */
function peakBytes(pid: number): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) * 1_024
}

function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
