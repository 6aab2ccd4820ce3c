/** Hosts on their owners' terms, in a network of a real bridge, real hosts and a device that pushes. */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { AppError } from '../../src/base/errors.js'
import type { HostConfig } from '../../src/host/config.js'
import { readHostConfig, writeHostConfig } from '../../src/host/folder.js'
import { hostId } from '../../src/model/ids.js'
import { encodeGetRequest, encodeTokenHead, METHOD } from '../../src/wire/methods.js'
import { Net, type NetHost, Uploader } from '../support/bridge-net.js'
import { until } from '../support/named.js'
import { scratchFolder } from '../support/scratch-folder.js'

async function network(t: Test) {
  // Removed when the last host has ended: their disks are written to until then.
  const { folder, remove } = scratchFolder()
  const net = await Net.start(folder, 10, { hostOptions: { diskLookMs: 500 } })
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  t.teardown(async () => {
    await uploader.stop()
    await net.stop()
    remove()
  })
  await drive.claim()
  const peers = net.hub.node(drive.deviceId)
  return { net, drive, uploader, peers }
}

type Network = Awaited<ReturnType<typeof network>>

async function change(host: NetHost, settings: Partial<HostConfig>): Promise<void> {
  writeHostConfig(host.dir, { ...readHostConfig(host.dir), ...settings })
  await host.host?.reload()
}

/** Hours that have not begun, whatever the time is. */
function laterHours(): Partial<HostConfig> {
  const hour = new Date().getUTCHours()
  const time = (at: number) => `${String(at % 24).padStart(2, '0')}:00`
  return { hours: { from: time(hour + 6), to: time(hour + 12) }, zone: 'UTC' }
}

/** What each host that the bridge offers says to its shard of a new segment. */
async function pushOne({ drive, uploader, peers }: Network, sizeBytes = 40_000) {
  const { info, shards, shardIds } = await uploader.seal(sizeBytes)
  const [grant] = await drive.client.place(drive.id, [{ ...info, shards: shardIds }])
  const said = new Map<string, string>()
  for (const { host, index, token } of grant?.hosts ?? []) {
    if (token === null) continue
    const body = shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
    const request = { method: METHOD.put, head: encodeTokenHead(token), body, deadlineMs: 20_000 }
    const code = await peers.request(host, request).then(
      () => 'stored',
      (error: unknown) => (error instanceof AppError ? `${error.code} ${error.retry}` : String(error)),
    )
    said.set(host, code)
  }
  return { said, grant, shardIds }
}

/** The first of those that were offered a shard; all of them took theirs. */
function holderOf(t: Test, { net }: Network, { said }: { said: Map<string, string> }): NetHost {
  t.same([...said.values()], Array(8).fill('stored'))
  return net.host(hostId([...said.keys()][0]))
}

/** Asks `host` for what it holds. */
async function readOne({ drive, peers }: Network, host: NetHost, shard: string): Promise<string> {
  const token = (await drive.client.tokens(drive.id, [host.id])).get(host.id) as Buffer
  const head = encodeGetRequest({ token, shard: shard as never, firstLeaf: 0, leafCount: 1 })
  return peers.request(host.id, { method: METHOD.get, head, deadlineMs: 20_000 }).then(
    () => 'read',
    (error: unknown) => (error instanceof AppError ? `${error.code} ${error.retry}` : String(error)),
  )
}

t.test('outside its hours a host takes no shard, gives what it holds, and the bridge knows its hours', async (t) => {
  const world = await network(t)
  const { drive } = world
  const first = await pushOne(world)
  const host = holderOf(t, world, first)
  await change(host, laterHours())
  const second = await pushOne(world)
  const said = second.said.get(host.id)
  t.ok(said === undefined || said === 'out-of-hours elsewhere', `it was not asked, or said so: ${said}`)
  const index = first.grant?.hosts.find((one) => one.host === host.id)?.index ?? 0
  t.equal(await readOne(world, host, first.shardIds[index] as string), 'read')
  t.match(await host.host?.status(), { isOpen: false, refuses: null }, 'the hour is told apart from a trouble')
  t.match(await drive.client.space(), { hostsOnline: 10 }, 'it keeps its line')
  await change(host, { hours: undefined as never })
  await until(async () => (await pushOne(world)).said.get(host.id) === 'stored')
})

t.test(
  'space below what is used takes nothing new and throws nothing away; when it grows it takes again',
  async (t) => {
    const world = await network(t)
    const { grant, shardIds, said } = await pushOne(world)
    const host = holderOf(t, world, { said })
    t.equal(host.shards(), 1)
    await change(host, { capacityBytes: 10_000 })
    t.match(await host.host?.status(), { capacityBytes: 10_000, freeBytes: 0, shards: 1 })
    const second = await pushOne(world)
    t.ok([undefined, 'host-full elsewhere'].includes(second.said.get(host.id)), `${second.said.get(host.id)}`)
    const index = grant?.hosts.find((one) => one.host === host.id)?.index ?? 0
    t.equal(await readOne(world, host, shardIds[index] as string), 'read')
    await change(host, { capacityBytes: 2 ** 31 })
    await until(async () => (await pushOne(world)).said.get(host.id) === 'stored')
    t.equal(host.shards(), 2)
  },
)

t.test('without its disk a host says that it is away, never that it has no such shard', async (t) => {
  const world = await network(t)
  const { grant, shardIds, said } = await pushOne(world)
  const host = holderOf(t, world, { said })
  const index = grant?.hosts.find((one) => one.host === host.id)?.index ?? 0
  const shard = shardIds[index] as string
  t.equal(await readOne(world, host, shard), 'read')
  // As when the file system of the volumes is taken away: the folder below it is there, and empty.
  const volumes = path.join(host.dir, 'volumes')
  fs.renameSync(volumes, `${volumes}.away`)
  fs.mkdirSync(volumes)
  await until(async () => (await host.host?.status())?.disk.state === 'away', 20_000)
  t.equal(await readOne(world, host, shard), 'disk-away elsewhere')
  const refused = await pushOne(world)
  t.ok([undefined, 'disk-away elsewhere'].includes(refused.said.get(host.id)))
  t.match((await host.host?.status())?.refuses, { code: 'disk-away' })
  fs.rmSync(volumes, { recursive: true })
  fs.renameSync(`${volumes}.away`, volumes)
  await until(async () => (await host.host?.status())?.disk.state === 'fine', 20_000)
  t.equal(await readOne(world, host, shard), 'read')
})
