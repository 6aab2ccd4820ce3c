// The disk under the state directory is full: writers are told, nothing acknowledged is lost, and it goes on without a restart.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { until } from '../support/named.js'
import { OutsideReader, timed, writeFile } from '../support/outside.js'
import { rampBytes } from '../support/ramp.js'
import { mountSmallDisk, noSmallDisks } from '../support/small-disk.js'

const skip = noSmallDisks()
const MIB = 1_048_576
const DISK = 192 * MIB
t.setTimeout(280_000)

type Tap = Pick<typeof t, 'match'>

t.test('a full disk under the state directory', { skip, timeout: 270_000 }, async (t) => {
  const disk = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-disk-'))
  t.teardown(() => fs.rmSync(disk, { recursive: true, force: true }))
  mountSmallDisk(t, disk, DISK)
  const network = await HostsProcess.start(t, { stateDir: disk, hosts: 4, scheme: '2/4' })
  const { mount } = network.facts
  const inMount = (name: string) => path.join(mount, name)
  const early = rampBytes(1, 16 * MIB)
  await writeFile(inMount('early'), early)
  t.equal((await network.command(['sync', '--complete'])).status, 0)
  // Two of four can be read from and are too few to store on.
  for (const at of [0, 1]) await network.killHost(at)
  const ballast = (name: string) => path.join(disk, `ballast ${name}`)
  // Tens of megabytes are enough to fill.
  fs.writeFileSync(ballast('a'), Buffer.alloc(64 * MIB))
  const acknowledged = new Map<string, Buffer>()
  const fill = async (): Promise<string> => {
    for (let at = 0; at < 64; at++) {
      const name = `filling ${acknowledged.size}`
      const bytes = rampBytes(acknowledged.size + 10, 4 * MIB)
      try {
        await writeFile(inMount(name), bytes, { fsync: true })
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? 'no code'
      }
      acknowledged.set(name, bytes)
    }
    return 'never full'
  }
  const accepts = (name: string, bytes: Buffer) =>
    writeFile(inMount(name), bytes, { fsync: true }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOSPC') return false
        throw error
      },
    )
  const allThere = async (t: Tap, folder: string) => {
    for (const [name, bytes] of acknowledged) {
      const read = await new OutsideReader(path.join(folder, name), bytes).ended
      t.match(read, { status: 0, wrongAt: -1, bytes: bytes.length }, name)
    }
  }

  await t.test('without hosts to take the data the writer gets ENOSPC', async (t) => {
    t.equal(await fill(), 'ENOSPC')
    t.comment(`full after ${acknowledged.size * 4} MiB of ${DISK / MIB}`)
    t.ok(acknowledged.size >= 8)
    await allThere(t, mount)
    await until(async () => (await network.status()).trouble?.code === 'not-enough-hosts', 30_000)
    t.match(await network.status(), { readOnly: null })
  })

  await t.test('nothing at all is left of the disk: reads and looks go on', async (t) => {
    spawnSync('dd', ['if=/dev/zero', `of=${ballast('b')}`, 'bs=64k'], { stdio: 'ignore' })
    await allThere(t, mount)
    t.equal((await network.outside('ls', '-lR', mount)).status, 0)
    t.match(await new OutsideReader(inMount('early'), early).ended, { status: 0, wrongAt: -1, bytes: early.length })
    await t.rejects(writeFile(inMount('refused'), rampBytes(5, MIB), { fsync: true }), { code: 'ENOSPC' })
    t.match(await network.status(), { readOnly: null })
  })

  await t.test('space returns: writes go on without a restart', async (t) => {
    for (const name of ['a', 'b']) fs.rmSync(ballast(name))
    const bytes = rampBytes(6, 200_000)
    await until(() => accepts('after', bytes), 15_000)
    acknowledged.set('after', bytes)
    t.match(await new OutsideReader(inMount('after'), bytes).ended, { status: 0, wrongAt: -1 })
    await allThere(t, mount)
  })

  await t.test('hosts return: the drive drains, and there is room again', async (t) => {
    for (const at of [0, 1]) await network.startHost(at)
    const tookMs = await timed(async () => t.match(await network.command(['sync', '--timeout', '90']), { status: 0 }))
    t.comment(`drained in ${tookMs} ms`)
    t.match(await network.status(), { local: { bytes: 0 }, trouble: null })
    const bytes = rampBytes(7, 8 * MIB)
    const roomMs = await timed(() => until(() => accepts('room again', bytes), 30_000))
    t.comment(`room for 8 MiB after ${roomMs} ms`)
    acknowledged.set('room again', bytes)
    t.match(await network.command(['sync', '--timeout', '90']), { status: 0 })
    t.match(await network.command(['fsck', '--json']), { status: 0, stdout: /"findings":\[\]/ })
    const cold = await network.mountFromPhrase('cold')
    await allThere(t, cold.mount)
  })
})
