import t from 'tap'
import { bridgeId, serialId } from '../../../src/model/ids.js'
import { pseudonymOf } from '../../../src/permits/pseudonym.js'
import { decodeToken, verifyToken } from '../../../src/permits/token.js'
import { type TestHost, World } from '../../support/bridge-world.js'
import { segmentNamed } from '../../support/named.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

type Answer = { ok: boolean; code?: string } | null

/** Deletes as the host got them; answered by `answer`, or not at all. */
function listen(host: TestHost, answer: () => Answer = () => ({ ok: true })): Buffer[] {
  const seen: Buffer[] = []
  host.socket?.onDelete((token) => {
    seen.push(token)
    const said = answer()
    if (said !== null) host.socket?.sendDeleted({ serial: decodeToken(token).serial, ...said })
  })
  return seen
}

t.test('what no record confirms dies after 72 h, and its hosts are told with tokens that they can check', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8, { online: 7 })
  const seen = hosts.slice(0, 7).map((host) => listen(host))
  const drive = await world.drive('a')
  await drive.claim()
  const [orphan, kept] = [segmentNamed('orphan'), segmentNamed('kept')]
  t.equal((await drive.store(orphan, hosts, 3)).stored, 3)
  t.same(await drive.store(kept, hosts), { stored: 7, committed: true })
  await drive.append(drive.epoch({ confirm: [kept.segment] }))
  await world.clock.leap(72 * HOUR - 1)
  t.equal(await world.bridge.pull.sweep(), 0)
  await world.clock.leap(1)
  t.equal(await world.bridge.pull.sweep(), 1)
  t.equal(await world.bridge.pull.sweep(), 0)
  t.match(await drive.client.health(drive.id), { segments: 1, unconfirmed: 0, bytes: 7 * 1_024 })
  t.same(await drive.client.locate(drive.id, [orphan.segment]), [])

  await world.bridge.pull.forget()
  t.same(
    seen.map((tokens) => tokens.length),
    [1, 1, 1, 1, 1, 1, 1],
    'every host that was given a token',
  )
  for (const [at, tokens] of seen.entries()) {
    const { id } = hosts[at] as TestHost
    const bridge = bridgeId(world.key.id)
    const expected = { bridge, host: id, holder: bridge, action: 'delete' as const, nowMs: world.clock.nowMs() }
    const token = verifyToken(tokens[0] as Buffer, expected)
    t.match(token, {
      pseudonym: pseudonymOf(drive.id, id),
      generation: 1,
      bytes: 0,
      target: { segment: orphan.segment },
    })
  }
  await world.bridge.pull.forget()
  t.ok(
    seen.every((tokens) => tokens.length === 1),
    'what was answered is not asked again',
  )
  await t.rejects(drive.client.commit(drive.id, orphan.segment, [Buffer.alloc(258)]), { code: 'unknown-segment' })
})

t.test('what was retired is kept 30 days and can come back', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const seen = hosts.map((host) => listen(host))
  const drive = await world.drive('a')
  await drive.claim()
  const [one, two] = [segmentNamed('1'), segmentNamed('2')]
  await drive.store(one, hosts)
  await drive.store(two, hosts)
  await drive.append(drive.epoch({ confirm: [one.segment, two.segment] }))
  await drive.append(drive.epoch({ retire: [one.segment, two.segment] }))
  await world.clock.leap(30 * DAY - 1)
  t.equal(await world.bridge.pull.sweep(), 0)
  t.equal((await drive.client.locate(drive.id, [one.segment])).length, 1, 'still there to read')
  await drive.append(drive.epoch({ confirm: [one.segment] }))
  await world.clock.leap(DAY)
  t.equal(await world.bridge.pull.sweep(), 1)
  t.match(await drive.client.health(drive.id), { segments: 1, full: 1, bytes: 8 * 1_024 })
  await world.bridge.pull.forget()
  const targets = new Set(seen.flat().map((token) => decodeToken(token).target?.segment))
  t.same([...targets], [two.segment])
})

t.test('a host that is away, silent or says "later" is asked again; one that has nothing is not', async (t) => {
  const world = await World.start(t.testdir())
  t.teardown(() => world.stop())
  const hosts = await world.hosts(8)
  const drive = await world.drive('a')
  await drive.store(segmentNamed('1'), hosts)
  await hosts[0]!.leave()
  let answers: Answer[] = [null, { ok: false, code: 'shard-too-young' }, { ok: false, code: 'shard-not-found' }]
  const seen = hosts.slice(1, 4).map((host, at) => listen(host, () => answers[at] as Answer))
  for (const host of hosts.slice(4)) listen(host)
  await world.clock.leap(80 * HOUR)
  await world.bridge.pull.sweep()
  /** Time passes only for the one that is silent: the others answer within the patience of a busy machine. */
  const roundWithSilence = async () => {
    const forgetting = world.bridge.pull.forget()
    const settled = forgetting.then(() => true)
    while (!(await Promise.race([settled, new Promise<boolean>((resolve) => setTimeout(resolve, 300, false))]))) {
      await world.clock.leap(60_000)
    }
  }
  await roundWithSilence()
  t.same(
    seen.map((tokens) => tokens.length),
    [1, 1, 1],
  )
  answers = [{ ok: true }, { ok: true }, { ok: true }]
  await world.bridge.pull.forget()
  t.same(
    seen.map((tokens) => tokens.length),
    [2, 2, 1],
  )
  hosts[1]!.socket?.sendDeleted({ serial: serialId('0'.repeat(32)), ok: true })
  await hosts[0]!.connect()
  const late = listen(hosts[0]!)
  await world.bridge.pull.forget()
  t.equal(late.length, 1)
  t.same(
    seen.map((tokens) => tokens.length),
    [2, 2, 1],
  )
})
