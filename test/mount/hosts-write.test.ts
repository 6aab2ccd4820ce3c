// Writing while hosts are dead, die, and come back: what is stored, what status says, what catches up by itself.
import fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { HostsProcess, type StatusFacts } from '../support/hosts-process.js'
import { noMounts } from '../support/mounts.js'
import { until } from '../support/named.js'
import { OutsideReader, timed, writeFile } from '../support/outside.js'
import { rampBytes } from '../support/ramp.js'

const skip = noMounts()
const MIB = 1_048_576
t.setTimeout(280_000)

const isFull = ({ stored }: StatusFacts) =>
  stored !== null && stored.full === stored.segments && stored.short.length === 0

t.test('hosts that are dead, die and return while the drive writes', { skip, timeout: 270_000 }, async (t) => {
  const network = await HostsProcess.start(t)
  const { mount } = network.facts
  const inMount = (name: string) => path.join(mount, name)
  const written = new Map<string, Buffer>()
  const write = async (name: string, size: number) => {
    const bytes = rampBytes(written.size + 1, size)
    written.set(name, bytes)
    await writeFile(inMount(name), bytes)
  }
  const sync = (...words: string[]) => network.command(['sync', ...words])

  await t.test('two dead hosts: sync answers soon, status says 6 of 8', async (t) => {
    await network.killHost(0)
    await network.killHost(5)
    await write('two dead', 32 * MIB)
    for (let at = 0; at < 20; at++) await write(`small ${at}`, 1_000 + at)
    const tookMs = await timed(async () => t.equal((await sync()).status, 0))
    t.comment(`sync of 32 MiB with two dead hosts: ${tookMs} ms`)
    t.ok(tookMs < 20_000, `${tookMs} ms`)
    const status = await network.status()
    t.match(status, { local: { bytes: 0 }, trouble: null, hosts: { online: 6, total: 8 } })
    const { segments, full, short } = status.stored ?? { segments: 0, full: 0, short: [] }
    t.ok(segments > 3)
    t.same(short, [{ stored: 6, of: 8, segments: segments - full }])
    t.equal(full, 0)
    t.match((await network.command(['status'])).stdout, /6 of 8/)
    t.match((await network.command(['status', inMount('two dead')])).stdout, /stored, 6 of 8/)
    await until(async () => (await healthOf(network, inMount('two dead'))) === 'stored, 6 of 8', 10_000)
  })

  await t.test('they return while the drive is not mounted: 8 of 8 within 120 s', async (t) => {
    await network.stopMount()
    await network.startHost(0)
    await network.startHost(5)
    const returnedAtMs = performance.now()
    await network.startMount()
    await until(async () => isFull(await network.status()), 120_000)
    t.comment(`8 of 8 after ${Math.round((performance.now() - returnedAtMs) / 1000)} s`)
    t.match((await network.command(['status', inMount('two dead')])).stdout, /stored, on all its hosts/)
    await until(async () => (await healthOf(network, inMount('two dead'))) === 'stored', 60_000)
  })

  await t.test('two die in the middle of a large write, one is killed and comes back at once', async (t) => {
    const bytes = rampBytes(99, 64 * MIB)
    written.set('in the middle', bytes)
    const kills: Promise<unknown>[] = []
    await writeFile(inMount('in the middle'), bytes, {
      onWritten: (at) => {
        if (at === 24 * MIB) kills.push(network.killHost(1), network.killHost(2))
        if (at === 44 * MIB) kills.push(network.killHost(3).then(() => network.startHost(3)))
      },
    })
    await Promise.all(kills)
    const ran = await sync()
    t.equal(ran.status, 0)
    t.comment(
      `sync after the kills: ${(JSON.parse((await sync('--json')).stdout) as { tookMs: number }).tookMs} ms`,
      ran.stdout,
    )
    const status = await network.status()
    t.match(status, { local: { bytes: 0 }, trouble: null })
    for (const { stored, of } of status.stored?.short ?? []) t.ok(stored >= 5 && of === 8, `${stored} of ${of}`)
    await network.startHost(1)
    await network.startHost(2)
  })

  await t.test('five of eight online: sync says what it waits for, and goes on by itself', async (t) => {
    for (const at of [0, 2, 4]) await network.killHost(at)
    await write('five online', 20 * MIB)
    const late = await sync('--timeout', '6')
    t.equal(late.status, 8)
    t.match(late.stderr, /waiting: .*hosts/)
    const status = await network.status()
    t.match(status, {
      local: { bytes: 20 * MIB },
      trouble: { code: 'not-enough-hosts' },
      hosts: { online: 5, total: 8 },
    })
    t.match((await network.command(['status'])).stdout, /trouble .*hosts/)
    t.match(await new OutsideReader(inMount('five online'), written.get('five online') as Buffer).ended, {
      status: 0,
      wrongAt: -1,
    })
    const waiting = sync()
    for (const at of [0, 2, 4]) await network.startHost(at)
    const tookMs = await timed(async () => t.equal((await waiting).status, 0))
    t.comment(`sync ended ${tookMs} ms after the hosts were back`)
    t.match(await network.status(), { local: { bytes: 0 }, trouble: null })
  })

  await t.test('a device that is new reads all of it', async (t) => {
    const cold = await network.mountFromPhrase('cold')
    for (const [name, bytes] of written) {
      t.match(await new OutsideReader(path.join(cold.mount, name), bytes).ended, {
        status: 0,
        wrongAt: -1,
        bytes: bytes.length,
      })
    }
    t.same((await fs.readdir(cold.mount)).sort(), [...written.keys()].sort())
    t.match(await network.command(['fsck', '--json']), { status: 0, stdout: /"findings":\[\]/ })
  })
})

/** The extended attribute that says how many shards of a file are stored. */
async function healthOf(network: HostsProcess, file: string): Promise<string> {
  return (await network.outside('getfattr', '--only-values', '-n', 'user.shardrive.health', file)).stdout
}
