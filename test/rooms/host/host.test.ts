import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { systemClock } from '../../../src/base/clock.js'
import { AppError, codeOf } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { systemRandom } from '../../../src/base/random.js'
import { shardTree, verifyLeaves } from '../../../src/crypto/merkle.js'
import { SigningKey } from '../../../src/crypto/signing-key.js'
import type { HostConfig } from '../../../src/host/config.js'
import { initHostFolder, openHostFolder, readHostConfig } from '../../../src/host/folder.js'
import { Host } from '../../../src/host/host.js'
import type { BridgeSession } from '../../../src/host/session.js'
import { bridgeId, type HostId, peerId, pseudonymId, segmentId, serialId, shardId } from '../../../src/model/ids.js'
import { verifyReceipt } from '../../../src/permits/receipt.js'
import { signToken, type TokenFields } from '../../../src/permits/token.js'
import { MemoryHub } from '../../../src/rtc/memory-transport.js'
import type { Transport } from '../../../src/rtc/transport.js'
import * as wire from '../../../src/wire/methods.js'
import { fixed, openStore, orderOf, readWhole, scratchDir } from '../../support/host-folder.js'
import { Liar, type Lie } from '../../support/lying-host.js'
import { rampBytes } from '../../support/ramp.js'

const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

const bridgeKey = SigningKey.random(systemRandom)
const deviceKey = SigningKey.random(systemRandom)
const device = peerId(deviceKey.id)

function config(changes: Partial<HostConfig> = {}): HostConfig {
  return { version: 1, bridgeUrl: 'http://127.0.0.1:1', bridge: bridgeKey.id, capacityBytes: 2 ** 30, ...changes }
}

function codeThrown(work: () => unknown): string {
  try {
    work()
    return 'nothing was thrown'
  } catch (error) {
    return codeOf(error)
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}

class RecordingSession implements BridgeSession {
  readonly said: string[] = []
  readonly answers: { ok: boolean; code?: string }[] = []
  listener: (token: Buffer) => void = () => {}
  down = false

  nowMs(): number {
    return Date.now()
  }
  async register(): Promise<{ incarnation: number }> {
    if (this.down) throw new AppError('bridge-unreachable', 'no bridge', { retry: 'later' })
    this.said.push('register')
    return { incarnation: 1 }
  }
  async report(_host: HostId, report: { usedBytes: number; freeBytes: number }) {
    this.said.push(`used ${report.usedBytes}, free ${report.freeBytes}`)
    return {}
  }
  onDelete(listener: (token: Buffer) => void): () => void {
    this.listener = listener
    return () => {
      this.listener = () => {}
    }
  }
  sendDeleted = (answer: { ok: boolean; code?: string }) => void this.answers.push(answer)
}

function token(host: HostId, action: TokenFields['action'], changes: Partial<TokenFields> = {}): Buffer {
  const nowMs = Date.now()
  const fields = {
    bridge: bridgeId(bridgeKey.id),
    incarnation: 1,
    host,
    holder: device,
    pseudonym: pseudonymId(fixed('drive', 0, 16)),
    generation: 1,
    bytes: action === 'get' ? 2 ** 30 : 0,
    notBeforeMs: nowMs,
    notAfterMs: nowMs + 3_600_000,
    serial: serialId(systemRandom(16)),
    target: null,
  }
  return signToken({ action, ...fields, ...changes }, bridgeKey)
}

async function startHost(
  t: { teardown(work: () => void): void },
  options: { dir?: string; liar?: Liar; session?: RecordingSession; youngMs?: number } = {},
) {
  const dir = options.dir ?? scratchDir(t)
  if (!fs.existsSync(path.join(dir, 'host.json'))) initHostFolder(dir, config(), systemRandom)
  const folder = openHostFolder(dir)
  const hub = new MemoryHub({ clock: systemClock })
  const own = hub.node(folder.host)
  const session = options.session ?? new RecordingSession()
  const transport = options.liar ? options.liar.wrap(own) : own
  const parts = { folder, transport, session, clock: systemClock, log: silentLog }
  const { youngMs } = options
  const host = await Host.start(parts, { reportMs: 20, ...(youngMs === undefined ? {} : { youngMs }) })
  const client: Transport = hub.node(device)
  const stop = async () => {
    await client.stop()
    await own.stop()
    await host.stop()
  }
  return { dir, host, session, client, stop }
}

async function putOver(client: Transport, host: HostId, number: number, payload: Buffer) {
  const shard = shardId((await shardTree(payload)).id)
  const target = { segment: segmentId(fixed('segment', number, 32)), index: 0, shard }
  const head = wire.encodeTokenHead(token(host, 'put', { target, bytes: payload.length }))
  const reply = await client.request(host, { method: wire.METHOD.put, head, body: payload, deadlineMs: 10_000 })
  verifyReceipt(wire.decodePutReply(reply.head), { host, ...target, length: payload.length })
  return target
}

async function getOver(
  client: Transport,
  host: HostId,
  shard: ReturnType<typeof shardId>,
  leafCount: number,
  deadlineMs = 10_000,
) {
  const head = wire.encodeGetRequest({ token: token(host, 'get'), shard, firstLeaf: 0, leafCount })
  const { head: answer, body } = await client.request(host, { method: wire.METHOD.get, head, deadlineMs })
  const { shardLength, proof } = wire.decodeGetReply(answer)
  const claim = {
    shardId: Buffer.from(shard, 'hex'),
    shardLength,
    firstLeaf: 0,
    data: body,
    proof: Buffer.concat(proof),
  }
  return { body, isProven: body.length > 0 && (await verifyLeaves(claim)) }
}

t.test(
  'a host serves peers over a transport, tells the bridge what it holds, and comes back with all of it',
  async (t) => {
    const dir = scratchDir(t)
    const payload = rampBytes(5, 1_966_080)
    let run = await startHost(t, { dir })
    const id = run.host.host
    const target = await putOver(run.client, id, 5, payload)
    const { body, isProven } = await getOver(run.client, id, target.shard, 1_920)
    t.ok(isProven && body.equals(payload))
    for (let i = 0; i < 200 && !run.session.said.some((line) => /used 19/.test(line)); i++) await pause(10)
    t.equal(run.session.said[0], 'register')
    const status = await run.host.status()
    t.ok(run.session.said.includes(`used ${status.volumeBytes}, free ${2 ** 30 - status.volumeBytes}`))
    t.match(status, { registered: true, readOnly: false, shards: 1 })
    await run.stop()
    run = await startHost(t, { dir })
    t.equal(run.host.host, id)
    t.ok((await getOver(run.client, id, target.shard, 1_920)).body.equals(payload))
    await run.stop()
  },
)

t.test('deletes from the bridge are carried out and answered', async (t) => {
  const { host, session, client, stop } = await startHost(t, { youngMs: 0 })
  const target = await putOver(client, host.host, 1, rampBytes(1, 5000))
  const holder = peerId(bridgeKey.id)
  session.listener(token(host.host, 'delete', { target, holder, generation: 0 }))
  session.listener(token(host.host, 'delete', { target, holder }))
  session.listener(token(host.host, 'delete', { target, holder: device }))
  session.listener(Buffer.from('noise'))
  for (let i = 0; i < 200 && session.answers.length < 3; i++) await pause(10)
  const codes = session.answers.map((one) => one.code ?? 'ok')
  t.same(codes.sort(), ['ok', 'old-generation', 'token-other-holder'])
  t.equal((await host.status()).shards, 0)
  await stop()
})

t.test('a host without its bridge serves, and registers when the bridge is back', async (t) => {
  const session = new RecordingSession()
  session.down = true
  const { host, client, stop } = await startHost(t, { session })
  await putOver(client, host.host, 1, rampBytes(1, 5000))
  t.match(await host.status(), { registered: false, shards: 1 })
  session.down = false
  for (let i = 0; i < 500 && session.said.length === 0; i++) await pause(10)
  t.equal(session.said[0], 'register')
  await stop()
})

t.test('every lie of a host is one that the reader sees through', async (t) => {
  const liar = new Liar()
  const { host, client, stop } = await startHost(t, { liar })
  const target = await putOver(client, host.host, 1, rampBytes(1, 200_000))
  await putOver(client, host.host, 2, rampBytes(2, 200_000))
  t.ok((await getOver(client, host.host, target.shard, 100)).isProven)
  for (const lie of ['flip-bits', 'wrong-proof', 'other-shard', 'truncate'] as Lie[]) {
    liar.lie = lie
    const { isProven, body } = await getOver(client, host.host, target.shard, 100)
    t.notOk(isProven && body.length === 102_400, lie)
  }
  liar.lie = 'forgetful'
  await t.rejects(getOver(client, host.host, target.shard, 100), { code: 'shard-not-found' })
  liar.lie = 'silent'
  await t.rejects(getOver(client, host.host, target.shard, 100, 200), { code: 'timed-out' })
  t.equal(liar.told, 6)
  await stop()
})

t.test('a folder is one host: made once, run once, refused when it is not whole', async (t) => {
  const dir = scratchDir(t)
  const id = initHostFolder(dir, config({ domain: 'me' }), systemRandom)
  t.equal(readHostConfig(dir).domain, 'me')
  t.equal(fs.statSync(path.join(dir, 'host.key')).mode & 0o777, 0o600)
  t.equal(fs.statSync(path.join(dir, 'host.key')).size, 37)
  t.equal(
    codeThrown(() => initHostFolder(dir, config(), systemRandom)),
    'host-exists',
  )
  const folder = openHostFolder(dir)
  t.equal(folder.host, id)
  t.equal(
    codeThrown(() => openHostFolder(dir)),
    'host-already-running',
  )
  folder.release()
  const spoils: [string, string, () => void][] = [
    ['no volumes disk is mounted', 'host-folder-wrong', () => fs.rmSync(path.join(dir, 'volumes/host.id'))],
    [
      'the volumes are of another host',
      'host-folder-wrong',
      () => fs.writeFileSync(path.join(dir, 'volumes/host.id'), '00'),
    ],
    ['the key is gone', 'host-folder-wrong', () => fs.rmSync(path.join(dir, 'host.key'))],
    ['the key is cut', 'malformed', () => fs.writeFileSync(path.join(dir, 'host.key'), 'SDHK')],
    [
      'the key is newer',
      'unsupported-version',
      () => fs.writeFileSync(path.join(dir, 'host.key'), `SDHK\x02${'x'.repeat(32)}`),
    ],
    ['the configuration is noise', 'malformed', () => fs.writeFileSync(path.join(dir, 'host.json'), '{"version":1}')],
    ['the folder is empty', 'host-folder-wrong', () => fs.rmSync(path.join(dir, 'host.json'))],
  ]
  for (const [name, code, spoil] of spoils) {
    const kept = new Map(
      ['host.key', 'host.json', 'volumes/host.id'].map((one) => [one, fs.readFileSync(path.join(dir, one))]),
    )
    spoil()
    t.equal(
      codeThrown(() => openHostFolder(dir)),
      code,
      name,
    )
    for (const [one, bytes] of kept) fs.writeFileSync(path.join(dir, one), bytes)
  }
  openHostFolder(dir).release()
})

t.test(
  'a disk that is really full refuses puts, keeps what it has, and takes puts again when there is room',
  async (t) => {
    const dir = scratchDir(t)
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir])
    if (made.status !== 0) return void t.pass('skipped: only root can make a small disk')
    try {
      const store = await openStore(dir)
      const orders = await Promise.all(Array.from({ length: 12 }, (_, i) => orderOf(i, 400_000)))
      const codes: string[] = []
      for (const { order, payload } of orders) codes.push(await store.put(order, payload).then(() => 'stored', codeOf))
      t.ok(codes.includes('stored') && codes.includes('no-space'), codes.join(' '))
      // The look at the disk is a second old at most: force writes against the wall as well.
      const filler = path.join(dir, 'filler')
      fs.writeFileSync(filler, '')
      t.equal(spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096'], { stdio: 'ignore' }).status, 1)
      const walled = await orderOf(100, 100_000)
      t.equal(await store.put(walled.order, walled.payload).then(() => 'stored', codeOf), 'no-space')
      t.notOk(store.readOnly)
      for (const [i, { order, payload }] of orders.entries()) {
        if (codes[i] === 'stored') t.ok((await readWhole(store, order)).equals(payload))
      }
      fs.rmSync(filler)
      await pause(1_100)
      await store.put(walled.order, walled.payload)
      t.ok((await readWhole(store, walled.order)).equals(walled.payload))
      await store.stop()
      const again = await openStore(dir)
      t.equal(again.totals().damagedRanges, 0)
      t.ok((await readWhole(again, walled.order)).equals(walled.payload))
      await again.stop()
    } finally {
      spawnSync('umount', ['-l', dir])
    }
  },
)
