// More than the disk under the state directory holds goes through it, while hosts take it: a full disk is told to the writer and to
// nobody else.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { until } from '../support/named.js'
import { writeFile } from '../support/outside.js'
import { rampBytes } from '../support/ramp.js'
import { mountSmallDisk, noSmallDisks } from '../support/small-disk.js'

const MIB = 1_048_576
const DISK = 192 * MIB
const THROUGH = 320 * MIB
const PIECE = 16 * MIB
t.setTimeout(280_000)

t.test('a small disk while hosts take what it holds', { skip: noSmallDisks(), timeout: 270_000 }, async (t) => {
  const disk = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-disk-'))
  t.teardown(() => fs.rmSync(disk, { recursive: true, force: true }))
  mountSmallDisk(t, disk, DISK)
  const network = await HostsProcess.start(t, { stateDir: disk, hosts: 5, scheme: '2/4' })
  let refused = 0
  const accepts = (name: string, bytes: Buffer) =>
    writeFile(path.join(network.facts.mount, name), bytes).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOSPC') throw error
        refused++
        return false
      },
    )
  for (let at = 0; at < THROUGH / PIECE; at++) {
    const bytes = rampBytes(1_000 + at, PIECE)
    await until(() => accepts(`file ${at}`, bytes), 120_000)
  }
  t.comment(`${refused} times the disk was full`)
  t.match(await network.command(['sync', '--timeout', '120']), { status: 0 })
  const said = network.log('mount').split('\n')
  t.same(
    said.filter((line) => line.includes('(no-space)')),
    [],
    'the drive was never read-only for it',
  )
  const { stdout } = await network.command(['fsck', '--json'])
  t.match(stdout, /"findings":\[\]/)
})
