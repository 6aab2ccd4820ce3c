// A drive whose bridge is away: what goes on, what waits, what catches up by itself when it is back.
import fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { HostsProcess } from '../support/hosts-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/named.js'
import { OutsideReader, timed, writeFile } from '../support/outside.js'
import { rampBytes } from '../support/ramp.js'

const skip = noMounts()
const MIB = 1_048_576
t.setTimeout(280_000)

type Tap = Pick<typeof t, 'match'>

t.test('a drive without its bridge', { skip, timeout: 270_000 }, async (t) => {
  const network = await HostsProcess.start(t, { hosts: 4, scheme: '2/4' })
  const { mount, state } = network.facts
  const inMount = (name: string) => path.join(mount, name)
  const stored = rampBytes(1, 24 * MIB)
  const late = rampBytes(2, 12 * MIB)
  const reads = async (t: Tap, name: string, bytes: Buffer) => {
    const read = await new OutsideReader(inMount(name), bytes).ended
    t.match(read, { status: 0, wrongAt: -1, bytes: bytes.length }, `${name} reads in ${read.tookMs} ms`)
  }
  await fs.mkdir(inMount('folder'))
  await writeFile(inMount('stored'), stored)
  await writeFile(inMount('kept'), stored.subarray(0, 2 * MIB))
  t.equal((await network.command(['sync', '--complete'])).status, 0)

  // Cold: nothing in the kernel, nothing in the cache; tokens and placements are what the ledger remembers.
  await network.stopMount()
  for (const name of ['cache.db', 'cache.db-wal', 'cache.db-shm']) await fs.rm(path.join(state, name), { force: true })
  await network.startMount()
  await reads(t, 'kept', stored.subarray(0, 2 * MIB))
  await network.killBridge()

  await t.test('writes, fsync, metadata, cached and uncached reads go on; sync waits and says why', async (t) => {
    const writeMs = await timed(() => writeFile(inMount('late'), late, { fsync: true }))
    const metadataMs = await timed(async () => {
      await fs.rename(inMount('folder'), inMount('renamed'))
      await fs.mkdir(inMount('made'))
      t.equal((await network.outside('ls', '-lR', mount)).status, 0)
      t.equal((await network.outside('df', mount)).status, 0)
    })
    t.comment(`offline: write and fsync of 12 MiB ${writeMs} ms, metadata ${metadataMs} ms`)
    t.ok(metadataMs < 2_000, `metadata in ${metadataMs} ms`)
    await reads(t, 'kept', stored.subarray(0, 2 * MIB))
    await reads(t, 'late', late)
    await reads(t, 'stored', stored)
    const waited = await network.command(['sync', '--timeout', '5'])
    t.equal(waited.status, 8)
    t.match(waited.stderr, /waiting: .*bridge/)
    t.match(await network.status(), { bridge: { connected: false }, trouble: { code: 'bridge-unreachable' } })
  })

  await t.test('the bridge returns: everything catches up by itself', async (t) => {
    await network.startBridge()
    const tookMs = await timed(() => until(async () => (await network.status()).local.epochs === 0, 60_000))
    t.comment(`caught up ${tookMs} ms after the bridge was back`)
    // Waiting for the end of grown pauses would take 18 s and more.
    t.ok(tookMs < 15_000, `${tookMs} ms`)
    t.equal((await network.command(['sync', '--complete', '--timeout', '60'])).status, 0)
    t.match(await network.status(), {
      local: { bytes: 0 },
      trouble: null,
      bridge: { connected: true },
      hosts: { online: 4 },
    })
  })

  await t.test('a mount that starts without its bridge comes up with what it knows, writable', async (t) => {
    await network.stopMount()
    await network.killBridge()
    const tookMs = await timed(() => network.startMount())
    t.comment(`mounted in ${tookMs} ms without a bridge`)
    t.ok(tookMs < 15_000, `${tookMs} ms`)
    t.same((await fs.readdir(mount)).sort(), ['kept', 'late', 'made', 'renamed', 'stored'])
    t.match(await network.status(), { readOnly: null, trouble: { code: 'bridge-unreachable' } })
    await reads(t, 'late', late)
    await fs.writeFile(inMount('written offline'), 'kept')
    t.ok((await network.status()).local.operations > 0 || (await network.status()).local.epochs > 0)
    await network.startBridge()
    await until(async () => (await network.status()).trouble === null, 30_000)
    t.equal((await network.command(['sync', '--timeout', '60'])).status, 0)
    t.match(await network.status(), { local: { bytes: 0, epochs: 0 }, readOnly: null, trouble: null })
  })

  await t.test('another device sees what was written meanwhile', async (t) => {
    const cold = await network.mountFromPhrase('cold')
    t.equal(await fs.readFile(path.join(cold.mount, 'written offline'), 'utf8'), 'kept')
    t.match(await new OutsideReader(path.join(cold.mount, 'late'), late).ended, {
      status: 0,
      wrongAt: -1,
      bytes: late.length,
    })
    t.ok((await fs.stat(path.join(cold.mount, 'renamed'))).isDirectory())
  })
})
