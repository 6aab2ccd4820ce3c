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
  const dropCache = async () => {
    for (const name of ['cache.db', 'cache.db-journal']) await fs.rm(path.join(state, name), { force: true })
  }
  await fs.mkdir(inMount('folder'))
  await writeFile(inMount('stored'), stored)
  await writeFile(inMount('kept'), stored.subarray(0, 2 * MIB))
  t.equal((await network.command(['sync', '--complete'])).status, 0)

  // Cold: nothing in the kernel, nothing in the cache; tokens and placements are what the ledger remembers.
  await network.stopMount()
  await dropCache()
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

  await t.test('S-36 S-37 S-38: what is pinned is here when nobody else is', async (t) => {
    const asJson = async (...words: string[]): Promise<Record<string, unknown>> => {
      const { status, stdout, stderr } = await network.command([...words, '--json'])
      return { status, hereBytes: 0, ...(JSON.parse(stdout === '' ? stderr : stdout) as Record<string, unknown>) }
    }
    const pinnedOf = async (name: string) =>
      (await network.outside('getfattr', '--only-values', '-n', 'user.shardrive.pinned', inMount(name))).stdout
    await network.stopMount()
    await dropCache()
    await network.startMount('--cache', '32MiB')

    t.match(await asJson('pin', inMount('stored')), { status: 0, bytes: 24 * MIB })
    t.match(await asJson('status', inMount('stored')), { pinned: true, hereBytes: 24 * MIB, dataBytes: 24 * MIB })
    t.match(await asJson('pin', inMount('late')), { status: 5, error: { code: 'no-space' } }, 'there is no room for it')
    t.equal(await pinnedOf('late'), 'no')
    t.match(await asJson('evict', inMount('stored')), { status: 4, error: { code: 'pinned' } })
    await fs.writeFile(inMount('fresh'), 'not stored yet')
    t.match(await asJson('evict', inMount('fresh')), { status: 4, error: { code: 'only-local' } })
    await reads(t, 'late', late)
    t.match(await asJson('status', inMount('stored')), { hereBytes: 24 * MIB }, 'reading others evicts nothing of it')
    t.match(await asJson('evict', inMount('late')), { status: 0, files: 1 })
    t.match(await asJson('status', inMount('late')), { pinned: false, hereBytes: 0, dataBytes: 12 * MIB })

    t.equal(
      (await network.outside('setfattr', '-n', 'user.shardrive.pinned', '-v', 'yes', inMount('renamed'))).status,
      0,
    )
    await fs.rename(inMount('kept'), inMount('renamed/kept'))
    await fs.writeFile(inMount('renamed/later'), late.subarray(0, 100_000))
    t.equal((await network.command(['sync'])).status, 0)
    await until(async () => (await pinnedOf('renamed/later')) === 'yes', 10_000)
    t.match(await asJson('unpin', inMount('renamed/kept')), { status: 2, error: { code: 'not-permitted' } })
    t.match(await asJson('evict', mount), { status: 0, pinnedFiles: 3 })

    const asked = await desktopFacts(network, [
      inMount('late'),
      inMount('stored'),
      inMount('renamed/later'),
      network.folder,
    ])
    const calm = { state: 'stored', health: 'stored' }
    t.same(asked, [
      [{ ...calm, pinned: false }, ['default-symbolic'], ['pin']],
      [{ ...calm, pinned: true }, ['default-symbolic', 'favorite-symbolic'], ['unpin']],
      [{ ...calm, pinned: true }, ['default-symbolic', 'favorite-symbolic'], ['unpin']],
      [null, [], []],
    ])

    // The cache is lost: what is pinned comes back by itself, and then nobody is needed.
    await network.stopMount()
    await dropCache()
    await network.startMount('--cache', '32MiB')
    const kept = 26 * MIB + 100_000
    const hereBytes = async () =>
      Number((await asJson('status', inMount('stored'))).hereBytes) +
      Number((await asJson('status', inMount('renamed'))).hereBytes)
    await until(async () => (await hereBytes()) === kept, 30_000)
    await network.killBridge()
    for (const at of [0, 1, 2, 3]) await network.killHost(at)
    await reads(t, 'stored', stored)
    await reads(t, 'renamed/kept', stored.subarray(0, 2 * MIB))
    await reads(t, 'renamed/later', late.subarray(0, 100_000))
    t.equal((await network.outside('setfattr', '-x', 'user.shardrive.pinned', inMount('stored'))).status, 0)
    t.equal(await pinnedOf('stored'), 'no')
    t.match(await asJson('unpin', inMount('renamed')), { status: 0 })
    await until(async () => (await pinnedOf('renamed/kept')) === 'no', 5_000)
    t.match(await network.command(['fsck', '--json']), { status: 0, stdout: /"findings":\[\]/ })
  })
})

/** What the extension of file managers (scripts/desktop) finds out, shows and offers. */
async function desktopFacts(network: HostsProcess, files: string[]): Promise<unknown> {
  const script = `import json, shardrive, shutil, sys
shutil.which = lambda name: None
known = [shardrive.facts(one) for one in sys.argv[1:]]
print(json.dumps([[k, shardrive.emblems(k) if k else [], [what for _, what in shardrive.choices([k])] if k else []] for k in known]))`
  const words = [
    `PYTHONPATH=${path.resolve('scripts/desktop')}`,
    'PYTHONDONTWRITEBYTECODE=1',
    'SHARDRIVE_WITHOUT_DESKTOP=1',
  ]
  const { stdout, stderr } = await network.outside('env', ...words, 'python3', '-c', script, ...files)
  return stdout === '' ? stderr : JSON.parse(stdout)
}
