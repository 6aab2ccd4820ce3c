import t, { type Test } from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { BridgeClient } from '../../../src/bridge-client/bridge-client.js'
import type { PlaceEntry } from '../../../src/bridge-client/replies.js'
import { accountId, driveId, hostId, type SegmentId, segmentId, shardId } from '../../../src/model/ids.js'
import { HEADER } from '../../../src/wire/api.js'
import { noiseBytes } from '../../support/noise.js'
import { ScriptedBridge, type SeenCall } from '../../support/scripted-bridge.js'
import { keyOf } from '../../support/secrets.js'

const drive = driveId('d'.repeat(32))
const idOf = (seed: number) => noiseBytes(seed, 32).toString('hex')
const hash = 'a'.repeat(64)
const token = 'e'.repeat(594)

async function setUp(t: Test) {
  const bridge = await new ScriptedBridge().start()
  t.teardown(() => bridge.stop())
  const client = new BridgeClient({ url: bridge.url, bridge: bridge.id, key: keyOf(1), clock: systemClock })
  return { bridge, client }
}

const said = (call: SeenCall | undefined) => `${call?.method} ${call?.path}`
const json = (call: SeenCall | undefined) => JSON.parse(String(call?.body))

function entryOf(seed: number, totalShards = 8): PlaceEntry {
  return {
    segment: segmentId(idOf(seed)),
    root: noiseBytes(seed + 1, 32),
    dataShards: 4,
    totalShards,
    paddedLength: 303_104,
    shardLength: 75_776,
    shards: Array.from({ length: totalShards }, (_, at) => shardId(idOf(seed * 1_000 + at))),
  }
}

t.test('each call says what the protocol says, and answers in the terms of the program', async (t) => {
  const { bridge, client } = await setUp(t)
  const head = { sequence: 7, hash }
  const heard = { sequence: 7, hash: Buffer.from(hash, 'hex') }
  const device = idOf(1)
  const host = hostId(idOf(2))
  const run = async <T>(reply: object | Buffer, call: () => Promise<T>): Promise<[T, SeenCall | undefined]> => {
    bridge.script = () => ({ body: reply })
    const result = await call()
    return [result, bridge.calls.at(-1)]
  }
  let [result, call]: [unknown, SeenCall | undefined] = await run({ account: hash }, () =>
    client.createAccount(accountId(hash), Buffer.alloc(32, 1)),
  )
  t.equal(said(call), 'POST /v1/accounts')
  t.same(json(call), { account: hash, recoveryKey: '01'.repeat(32) })
  ;[result, call] = await run({ drive, head }, () => client.createDrive(Buffer.from('genesis'), Buffer.from('label')))
  t.equal(said(call), 'POST /v1/drives')
  t.equal(String(call?.body), 'genesis')
  t.equal(call?.headers[HEADER.label], Buffer.from('label').toString('hex'))
  t.same(result, { drive, head: heard })
  ;[result, call] = await run({ drives: [{ drive, label: 'ab', head, bytes: 3 }] }, () => client.drives())
  t.equal(said(call), 'GET /v1/drives')
  t.same(result, [{ drive, label: Buffer.from([0xab]), head: heard, bytes: 3 }])
  ;[result, call] = await run({ devices: [{ device, addedAt: 1, revoked: false, lastSeenAt: null }] }, () =>
    client.devices(drive),
  )
  t.equal(said(call), `GET /v1/drives/${drive}/devices`)
  t.same(result, [{ device, addedAtMs: 1, revoked: false, lastSeenAtMs: null }])
  ;[result, call] = await run({ ...head, writer: { device, term: 2, heartbeatAt: 9 } }, () => client.head(drive))
  t.equal(said(call), `GET /v1/drives/${drive}/head`)
  t.same(result, { ...heard, writer: { device, term: 2, heartbeatAtMs: 9 } })
  ;[result, call] = await run(Buffer.from('page'), () => client.chainPage(drive, 12))
  t.equal(said(call), `GET /v1/drives/${drive}/chain?from=12`)
  t.same(result, Buffer.from('page'))
  ;[result, call] = await run(head, () => client.append(drive, Buffer.from('record')))
  t.equal(said(call), `POST /v1/drives/${drive}/chain`)
  t.same(result, heard)
  ;[result, call] = await run({}, () => client.heartbeat(drive, { term: 2, released: true }))
  t.equal(said(call), `POST /v1/drives/${drive}/heartbeat`)
  t.same(json(call), { term: 2, released: true })
  const segment = segmentId(idOf(3))
  ;[result, call] = await run({ segment, stored: 6, committed: true }, () =>
    client.commit(drive, segment, [Buffer.alloc(258, 1)]),
  )
  t.equal(said(call), `POST /v1/drives/${drive}/commit`)
  t.same(json(call), { segment, receipts: ['01'.repeat(258)] })
  t.same(result, { stored: 6, committed: true })
  ;[result, call] = await run({ tokens: [{ host, token }] }, () => client.tokens(drive, [host]))
  t.equal(said(call), `POST /v1/drives/${drive}/tokens`)
  t.same(result, new Map([[host, Buffer.from(token, 'hex')]]))
  const health = {
    segments: 1,
    full: 0,
    short: [{ segment, stored: 6, n: 8 }],
    unconfirmed: 0,
    bytes: 5,
    policy: 'single-machine',
    durable: false,
  }
  ;[result, call] = await run(health, () => client.health(drive))
  t.equal(said(call), `GET /v1/drives/${drive}/health`)
  t.same(result, health)
  ;[result, call] = await run({}, () =>
    client.evidence(drive, { host, segment, index: 1, kind: 'truncated', detail: 'x' }),
  )
  t.equal(said(call), `POST /v1/drives/${drive}/evidence`)
  ;[result, call] = await run({ host, incarnation: 3 }, () => client.registerHost({ host, capacityBytes: 10 }))
  t.equal(said(call), 'POST /v1/hosts')
  t.same(result, { host, incarnation: 3 })
  ;[result, call] = await run({}, () => client.reportHost(host, { usedBytes: 1, freeBytes: 2, capacityBytes: 3 }))
  t.equal(said(call), `POST /v1/hosts/${host}/report`)
})

t.test('placements come back in the order asked, split into requests that the bridge takes', async (t) => {
  const { bridge, client } = await setUp(t)
  bridge.script = ({ body }) => {
    const { segments } = JSON.parse(String(body)) as { segments: { segment: string; n: number }[] }
    const rows = segments.map(({ segment, n }) => {
      const hosts = Array.from({ length: n }, (_, index) => ({
        index,
        host: idOf(index),
        token: index === 0 ? null : token,
      }))
      return { segment, generation: 1, commit: 6, hosts }
    })
    return { body: { segments: rows.reverse() } }
  }
  const entries = Array.from({ length: 70 }, (_, at) => entryOf(at + 10))
  const grants = await client.place(drive, entries)
  t.same(
    grants.map(({ segment }) => segment),
    entries.map(({ segment }) => segment),
  )
  t.same(
    bridge.calls.map((call) => json(call).segments.length),
    [64, 6],
  )
  t.match(grants[0], { generation: 1, commit: 6 })
  t.same(grants[0]?.hosts.slice(0, 2), [
    { index: 0, host: idOf(0), token: null },
    { index: 1, host: idOf(1), token: Buffer.from(token, 'hex') },
  ])
  bridge.calls.length = 0
  await client.place(
    drive,
    Array.from({ length: 10 }, (_, at) => entryOf(at + 10, 255)),
  )
  t.same(
    bridge.calls.map((call) => json(call).segments.length),
    [8, 2],
    'at most 2,048 shards a request',
  )
  t.same(await client.place(drive, []), [])
})

t.test('locate splits, and leaves out what the bridge does not know', async (t) => {
  const { bridge, client } = await setUp(t)
  const asked = Array.from({ length: 300 }, (_, at) => segmentId(idOf(at)))
  const row = (segment: string) => {
    const shards = [{ index: 0, shard: hash, host: null, stored: false }]
    return { segment, root: hash, k: 4, n: 8, paddedLength: 8, shardLength: 2, generation: 3, shards }
  }
  bridge.script = ({ body }) => ({
    body: { segments: (JSON.parse(String(body)).segments as string[]).slice(1).map(row) },
  })
  const found = await client.locate(drive, asked, { totalShards: 8 })
  t.equal(found.length, 298)
  t.same(found[0], {
    segment: asked[1],
    root: Buffer.from(hash, 'hex'),
    dataShards: 4,
    totalShards: 8,
    paddedLength: 8,
    shardLength: 2,
    generation: 3,
    shards: [{ index: 0, shard: hash, host: null, stored: false }],
  })
  bridge.calls.length = 0
  await client.locate(drive, asked)
  t.ok(
    bridge.calls.every((call) => json(call).segments.length <= 64),
    'they may be wide: fewer a request',
  )
})

t.test('an answer to something else than was asked is malformed', async (t) => {
  const { bridge, client } = await setUp(t)
  const segment = segmentId(idOf(1)) as SegmentId
  const other = idOf(2)
  const host = hostId(idOf(3))
  const grant = { segment, generation: 1, commit: 6, hosts: [{ index: 0, host, token: null }] }
  const place = () => client.place(drive, [{ ...entryOf(5), segment }])
  const located = { segment, root: hash, k: 4, n: 8, paddedLength: 8, shardLength: 2, generation: 3, shards: [] }
  const shard = { index: 0, shard: hash, host: null, stored: true }
  const locate = () => client.locate(drive, [segment])
  const lies: [string, () => Promise<unknown>, object][] = [
    ['a grant for another segment', place, { segments: [{ ...grant, segment: other }] }],
    ['no grant', place, { segments: [] }],
    ['a grant twice', place, { segments: [grant, grant] }],
    ['a shard beyond n', place, { segments: [{ ...grant, hosts: [{ index: 8, host, token: null }] }] }],
    ['a shard twice', place, { segments: [{ ...grant, hosts: [...grant.hosts, ...grant.hosts] }] }],
    ['more receipts than shards', place, { segments: [{ ...grant, commit: 9 }] }],
    ['a segment that was not asked', locate, { segments: [{ ...located, segment: other }] }],
    ['a segment twice', locate, { segments: [located, located] }],
    ['k above n', locate, { segments: [{ ...located, k: 9 }] }],
    ['a shard twice', locate, { segments: [{ ...located, shards: [shard, shard] }] }],
    ['a shard beyond n', locate, { segments: [{ ...located, shards: [{ ...shard, index: 8 }] }] }],
    ['an unknown field', locate, { segments: [{ ...located, plainLength: 1 }] }],
    ['a token for another host', () => client.tokens(drive, [host]), { tokens: [{ host: other, token }] }],
    ['a short token', () => client.tokens(drive, [host]), { tokens: [{ host, token: 'ab' }] }],
    [
      'a commit of another segment',
      () => client.commit(drive, segment, [Buffer.alloc(258)]),
      { segment: other, stored: 1, committed: true },
    ],
    [
      'another bridge',
      () => client.info(),
      { bridge: other, incarnation: 1, time: 1, policy: 'standard', version: '1', ice: [], scheme: { k: 4, n: 8 } },
    ],
  ]
  for (const [name, call, body] of lies) {
    bridge.script = () => ({ body })
    await t.rejects(call(), { code: 'malformed' }, name)
  }
})

t.test('what the bridge would refuse for its size is not sent', async (t) => {
  const { bridge, client } = await setUp(t)
  await t.rejects(client.append(drive, Buffer.alloc(9_437_185)), { code: 'too-large' })
  await t.rejects(client.commit(drive, segmentId(hash), Array(2_100).fill(Buffer.alloc(258))), { code: 'too-large' })
  t.equal(bridge.calls.length, 0)
})
