/** Every message of the API and of the sockets, 2,000 times damaged: a clear error with a code that may cross, or a sound answer. */
import t, { type Test } from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { ROUTES, type Route } from '../../../src/bridge/api/routes.js'
import type { BridgeService } from '../../../src/bridge/api/service.js'
import { isBridgeCode } from '../../../src/bridge/api/status.js'
import { signRecord } from '../../../src/permits/chain-record.js'
import { appendRecord } from '../../../src/permits/chain-rules.js'
import { decodeToken } from '../../../src/permits/token.js'
import { decodeJson } from '../../../src/wire/check.js'
import { PeerMessage } from '../../../src/wire/socket.js'
import { type TestDrive, type TestHost, World } from '../../support/bridge-world.js'
import { Dice, testSeed } from '../../support/dice.js'
import { mutate } from '../../support/mutate.js'
import { segmentNamed } from '../../support/named.js'

const ROUNDS = 2_000
const HEX = 'ab'.repeat(32)

async function open(t: Test) {
  let service!: BridgeService
  const around = (plain: BridgeService) => {
    service = plain
    return plain
  }
  const world = await World.start(t.testdir(), { around })
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.claim()
  const seed = testSeed()
  t.comment(`seed ${seed}: SEED=${seed} npm run t -- test/rooms/bridge/fuzz.test.ts`)
  return { world, hosts, drive, service, dice: new Dice(seed) }
}

/** A JSON value with one place changed: another type, an edge, something more or something missing. */
function damage(dice: Dice, value: unknown): unknown {
  const edges = [null, -1, 0, 1, 1.5, 2 ** 53, 1e300, '', 'x', HEX, HEX.toUpperCase(), true, [], {}, '\u0000', [[]]]
  if (Array.isArray(value) && value.length > 0 && dice.roll(0, 9) > 0) {
    const at = dice.roll(0, value.length - 1)
    const way = dice.roll(0, 3)
    if (way === 0) return value.filter((_, index) => index !== at)
    if (way === 1) return [...value, ...value]
    return value.map((one, index) => (index === at ? damage(dice, one) : one))
  }
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0 && dice.roll(0, 9) > 0) {
    const names = Object.keys(value)
    const name = dice.pick(names)
    const way = dice.roll(0, 5)
    if (way === 0) return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
    if (way === 1)
      return { ...value, [dice.pick(['extra', 'toString', '__proto__x', 'constructor'])]: dice.pick(edges) }
    return { ...value, [name]: damage(dice, (value as Record<string, unknown>)[name]) }
  }
  if (typeof value === 'number' && dice.roll(0, 1) === 0) return dice.pick([value + 1, value - 1, value * 255, -value])
  if (typeof value === 'string' && value.length > 0 && dice.roll(0, 1) === 0) {
    const at = dice.roll(0, value.length - 1)
    return value.slice(0, at) + dice.pick(['', '0', 'g', 'é', '\n', value]) + value.slice(at + 1)
  }
  return dice.pick(edges)
}

function routeOf(path: string): Route {
  const found = ROUTES.find((one) => one.path === path && one.method === 'POST')
  if (found === undefined) throw new Error(path)
  return found
}

/** Runs and counts; anything but an answer or an error that may cross is a failure of the test. */
async function outcome(t: Test, work: () => unknown, sent: unknown): Promise<string> {
  try {
    await work()
    return 'answered'
  } catch (error) {
    if (error instanceof AppError && isBridgeCode(error.code) && error.code !== 'internal') return error.code
    t.fail(`${String((error as Error).stack)} for ${JSON.stringify(sent)?.slice(0, 400)}`)
    return 'failed'
  }
}

function validBodies(drive: TestDrive, hosts: TestHost[], receipt: string): Record<string, object> {
  const one = segmentNamed('placed')
  const { dataShards: k, totalShards: n, paddedLength, shardLength, shards } = segmentNamed('other')
  const root = HEX
  return {
    '/v1/accounts': { account: drive.account.id, recoveryKey: HEX },
    '/v1/drives/:drive/heartbeat': { term: 1, released: false },
    '/v1/drives/:drive/place': { segments: [{ segment: HEX, root, k, n, paddedLength, shardLength, shards }] },
    '/v1/drives/:drive/commit': { segment: one.segment, receipts: [receipt] },
    '/v1/drives/:drive/locate': { segments: [one.segment, HEX] },
    '/v1/drives/:drive/tokens': { hosts: [hosts[0]?.id, HEX] },
    '/v1/drives/:drive/evidence': { host: hosts[0]?.id, segment: one.segment, index: 3, kind: 'silent', detail: 'x' },
    '/v1/hosts': { host: hosts[0]?.id, capacityBytes: 2 ** 40, domain: 'op' },
    '/v1/hosts/:host/report': { usedBytes: 1, freeBytes: 2 ** 39, capacityBytes: 2 ** 40 },
  }
}

t.test('JSON of every call', async (t) => {
  const { hosts, drive, service, dice } = await open(t)
  const placed = segmentNamed('placed')
  const [grant] = await drive.place(placed)
  const row = grant!.hosts[0]!
  const receipt = hosts.find((one) => one.id === row.host)!.receiptFor(row.token!)
  for (const [path, valid] of Object.entries(validBodies(drive, hosts, receipt.toString('hex')))) {
    const route = routeOf(path)
    const byHost = path.startsWith('/v1/hosts')
    const key = (byHost ? hosts[0]!.id : path === '/v1/accounts' ? drive.account.id : drive.device.id) as never
    const params = { drive: drive.id as string, host: hosts[0]!.id as string }
    const counts = new Map<string, number>()
    for (let round = 0; round < ROUNDS; round++) {
      const text = Buffer.from(JSON.stringify(damage(dice, valid)) ?? '')
      const body = dice.roll(0, 9) === 0 ? mutate(dice, text) : text
      const input = { caller: { key, address: '127.0.0.1' }, params, query: {}, body, label: '' }
      const said = await outcome(t, () => route.run(service, input), body.toString('latin1'))
      counts.set(said, (counts.get(said) ?? 0) + 1)
    }
    t.ok((counts.get('malformed') ?? 0) > ROUNDS / 4, `${path} ${JSON.stringify(Object.fromEntries(counts))}`)
  }
  t.match(await drive.client.head(drive.id), { sequence: 1 }, 'nothing was appended')
  t.same(await drive.store(segmentNamed('after'), hosts), { stored: 8, committed: true }, 'and all still works')
})

t.test('receipts', async (t) => {
  const { hosts, drive, service, dice } = await open(t)
  const segment = segmentNamed('placed')
  const [grant] = await drive.place(segment)
  const row = grant!.hosts[0]!
  const receipt = hosts.find((one) => one.id === row.host)!.receiptFor(row.token!)
  t.equal(decodeToken(row.token!).target?.segment, segment.segment)
  const route = routeOf('/v1/drives/:drive/commit')
  const caller = { key: drive.deviceId, address: '127.0.0.1' }
  for (let round = 0; round < ROUNDS; round++) {
    const receipts = [mutate(dice, receipt).toString('hex')]
    const body = Buffer.from(JSON.stringify({ segment: segment.segment, receipts }))
    const input = { caller, params: { drive: drive.id as string }, query: {}, body, label: '' }
    const said = await outcome(t, () => route.run(service, input), receipts)
    if (said === 'answered') t.fail(`counted: ${receipts}`)
  }
  t.match(await drive.client.health(drive.id), { bytes: 0 })
})

t.test('chain records, damaged on the way or made by a hostile device', async (t) => {
  const { drive, service, dice } = await open(t)
  const caller = { key: drive.deviceId, address: '127.0.0.1' }
  let appended = 0
  const counts = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round++) {
    const epoch = drive.epoch({ confirm: [], retire: [segmentNamed('x').segment] })
    const hostile = dice.roll(0, 1) === 0
    const body = hostile ? mutate(dice, epoch.body) : epoch.body
    const kind = (hostile && dice.roll(0, 3) === 0 ? dice.roll(1, 8) : epoch.kind) as typeof epoch.kind
    const writerTerm = hostile && dice.roll(0, 7) === 0 ? dice.roll(0, 3) : epoch.writerTerm
    const keyTerm = hostile && dice.roll(0, 7) === 0 ? dice.roll(0, 3) : epoch.keyTerm
    const record = signRecord({ ...epoch, body, kind, writerTerm, keyTerm }, drive.device)
    const bytes = hostile ? record.encoded : mutate(dice, record.encoded)
    const said = await outcome(t, () => service.appendRecord(caller, drive.id, bytes), bytes.toString('hex'))
    counts.set(said, (counts.get(said) ?? 0) + 1)
    if (said !== 'answered') continue
    appended++
    drive.state = appendRecord(drive.state, record)
    t.ok(hostile, 'a damaged record is never taken')
  }
  t.comment(JSON.stringify(Object.fromEntries(counts)))
  const head = await drive.client.head(drive.id)
  t.same([head.sequence, head.hash], [1 + appended, drive.state.head.hash], 'the chain is what was answered')
})

t.test('messages of sockets', async (t) => {
  const seed = testSeed()
  t.comment(`seed ${seed}`)
  const dice = new Dice(seed)
  const valid = [
    { type: 'signal', to: HEX, session: HEX.slice(32), payload: 'QUJD' },
    { type: 'deleted', serial: HEX.slice(32), ok: false, code: 'shard-not-found' },
  ]
  for (const message of valid) {
    let refused = 0
    for (let round = 0; round < ROUNDS; round++) {
      const text = Buffer.from(JSON.stringify(damage(dice, message)) ?? '')
      const bytes = dice.roll(0, 4) === 0 ? mutate(dice, text) : text
      const said = await outcome(t, () => decodeJson(PeerMessage, bytes, 'socket message'), bytes.toString('latin1'))
      if (said === 'malformed') refused++
    }
    t.ok(refused > ROUNDS / 2, `${message.type}: ${refused}`)
  }
})
