/** What bursts come to: verdicts, containment, the breaker, hours, requests. Real books, real answers, driven time. */
import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { verifyTranscript } from '../../../src/permits/audit.js'
import type { TransportReply } from '../../../src/rtc/transport.js'
import { Lab, type LabHost, type LabOptions } from '../../support/audit-lab.js'

const HOUR_MS = 3_600_000

async function labOf(
  t: { testdir(): string; teardown(work: () => void): void },
  options: LabOptions,
): Promise<[Lab, ...LabHost[]]> {
  const lab = await Lab.open(t.testdir(), options)
  t.teardown(() => lab.stop())
  return [lab, ...lab.hosts]
}

const failsWith =
  (code: string, remote = false) =>
  async (): Promise<TransportReply> => {
    throw new AppError(code, code, remote ? { details: { remote: true } } : {})
  }

t.test('what is not found is lost when its round ends, with a notice and a transcript that proves it', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 5 })) as [Lab, LabHost]
  const [gone] = [...host.shards.keys()]
  host.shards.delete(gone!)
  await lab.audits.askNow(host.id, lab.signal)
  t.equal((await lab.standing(host)).shards, 5, 'held until the round ends')
  await lab.close()
  const standing = await lab.standing(host)
  t.match(standing, { shards: 4, state: 'good', verdicts: { fail: 1, timeout: 0 } })
  t.ok(standing.score < 1 && standing.score > 0.998)
  const [notice] = standing.notices
  t.match(notice, { state: 'good', why: /taken as lost: a shard that it gave a receipt for was not found/ })
  const transcript = await lab.standings.transcript(host.id, host.id, notice?.transcript as number)
  const { challenge, findings } = await verifyTranscript(transcript)
  t.equal(challenge.host, host.id)
  t.ok(findings?.includes('not-found'))
  await t.rejects(lab.standings.transcript(lab.hosts[1]!.id, lab.hosts[1]!.id, notice?.transcript as number), {
    code: 'unknown-transcript',
  })
})

t.test('damage that a host admits costs a quarter', async (t) => {
  const [lab, liar, honest] = (await labOf(t, { hosts: 4, segments: 1 })) as [Lab, LabHost, LabHost]
  liar.shards.clear()
  honest.rotten.add([...honest.shards.keys()][0]!)
  await lab.burst(liar, honest)
  const [caught, admitted] = [await lab.standing(liar), await lab.standing(honest)]
  t.ok(Math.abs((1 - caught.score) / (1 - admitted.score) - 4) < 0.01)
  t.same([caught.shards, admitted.shards], [0, 0])
})

t.test('no answer is asked again, the same leaves, six hours later; the third time it is a failure', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 3 })) as [Lab, LabHost]
  const asked: Buffer[] = []
  host.trick = async (request) => {
    asked.push(request.head.subarray(102, -64))
    throw new AppError('timed-out', 'late')
  }
  await lab.burst(host)
  t.match(await lab.standing(host), { shards: 3, score: 1, verdicts: { fail: 0 } })
  await lab.clock.leap(6 * HOUR_MS)
  await lab.burst(host)
  t.equal((await lab.standing(host)).shards, 3)
  await lab.clock.leap(6 * HOUR_MS)
  await lab.burst(host)
  const standing = await lab.standing(host)
  t.match(standing, { shards: 0, verdicts: { fail: 3 } })
  t.match(standing.notices[0]?.why, /no answer to an audit, three times/)
  t.equal(asked.length, 3)
  const leaves = (items: Buffer) =>
    new Set(Array.from({ length: items.length / 52 }, (_, at) => items.subarray(at * 52, at * 52 + 52).toString('hex')))
  const [first, second, third] = asked.map(leaves)
  const firstOfShards = [...first!].slice(0, 3)
  t.ok(
    firstOfShards.every((one) => second?.has(one) && third?.has(one)),
    'the leaves of each shard come again',
  )
})

t.test('a host that answers again after a bad night has lost nothing', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 3 })) as [Lab, LabHost]
  const honest = host.trick
  host.trick = failsWith('peer-lost')
  await lab.burst(host)
  host.trick = honest
  await lab.clock.leap(6 * HOUR_MS)
  await lab.burst(host)
  t.match(await lab.standing(host), { shards: 3, score: 1, state: 'good', verdicts: { fail: 0 } })
  host.trick = failsWith('timed-out')
  for (let nth = 0; nth < 2; nth++) {
    await lab.burst(host)
    await lab.clock.leap(6 * HOUR_MS)
  }
  t.equal((await lab.standing(host)).shards, 3, 'it counts from the beginning')
})

t.test('busy, errors and faults of our own cost nothing, however often, and suspend at most', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 3 })) as [Lab, LabHost]
  host.trick = failsWith('busy', true)
  for (let nth = 0; nth < 60; nth++) await lab.burst(host)
  t.match(await lab.standing(host), { state: 'suspended', score: 1, shards: 3, verdicts: { fail: 0, unknown: 60 } })
  host.trick = (_, answer) => answer()
  for (let nth = 0; nth < 45; nth++) await lab.burst(host)
  t.match(await lab.standing(host), { state: 'good', score: 1, shards: 3 })
})

t.test('offline tells the online share and nothing else; the bridge that was down tells nothing', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 3 })) as [Lab, LabHost]
  lab.setOnline(host, false)
  await lab.round(40)
  const away = await lab.standing(host)
  t.match(away, { score: 1, shards: 3, state: 'good', verdicts: { fail: 0, timeout: 0, unknown: 0 } })
  t.ok(away.verdicts.offline >= 38 && away.onlineShare === 0, JSON.stringify(away))
  lab.setOnline(host, true)
  await lab.clock.leap(100 * HOUR_MS)
  await lab.round(120)
  t.ok((await lab.standing(host)).onlineShare > 0.5)
})

t.test('outside of its own hours a host is not asked, and it is not missed', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 3 })) as [Lab, LabHost]
  const minute = Math.floor(lab.clock.nowMs() / 60_000) % 1_440
  const hours = { fromMinute: (minute + 720) % 1_440, toMinute: (minute + 1_200) % 1_440 }
  const report = { usedBytes: 0, freeBytes: 1, capacityBytes: 1, hours }
  await lab.registry.report(host.id, host.id, report)
  lab.setOnline(host, false)
  await lab.round(16)
  t.equal((await lab.standing(host)).verdicts.offline, 0, 'before they begin')
  lab.setOnline(host, true)
  await lab.round(14)
  const standing = await lab.standing(host)
  t.ok(standing.verdicts.success > 0, 'within them')
  t.equal(standing.onlineShare, 1)
})

t.test('when many fail at once nobody pays; what is found three times so is repaired all the same', async (t) => {
  const [lab] = await labOf(t, { hosts: 8, segments: 2 })
  const failing = lab.hosts.slice(0, 3)
  for (const host of failing) host.shards.clear()
  await lab.burst(...lab.hosts)
  for (const host of failing) t.match(await lab.standing(host), { score: 1, shards: 2, verdicts: { fail: 0 } })
  t.equal((await lab.audits.status()).freezes, 1)
  for (let nth = 0; nth < 2; nth++) {
    await lab.clock.leap(8 * HOUR_MS)
    await lab.burst(...lab.hosts)
  }
  for (const host of failing) t.match(await lab.standing(host), { score: 1, shards: 0, state: 'good' })
  t.match(await lab.standing(lab.hosts[5]!), { score: 1, shards: 2 })
})

t.test('more than six shards of one segment at once freeze penalties, two hosts of many do not', async (t) => {
  const [lab] = await labOf(t, { hosts: 30, segments: 1 })
  for (const host of lab.hosts.slice(0, 2)) host.shards.clear()
  await lab.burst(...lab.hosts)
  t.equal((await lab.audits.status()).freezes, 0)
  t.match(await lab.standing(lab.hosts[0]!), { shards: 0, verdicts: { fail: 1 } })
  for (const host of lab.hosts.slice(2, 9)) host.shards.clear()
  await lab.burst(...lab.hosts)
  t.equal((await lab.audits.status()).freezes, 1)
  t.match(await lab.standing(lab.hosts[2]!), { shards: 1, verdicts: { fail: 0 } })
})

t.test('a shard that moved while it was asked for is no verdict', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 1 })) as [Lab, LabHost]
  host.shards.clear()
  await lab.audits.askNow(host.id, lab.signal)
  const segment = await lab.store.segments.loadRow(1)
  const { index, hostRow, generation } = segment!.shards.find((one) => one.host === host.id)!
  t.ok(await lab.store.segments.saveLost(1, { index, hostRow, generation }), 'it is known as lost by other means')
  await lab.close()
  t.match(await lab.standing(host), { score: 1, verdicts: { fail: 0 }, notices: [] })
})

t.test('evidence is a question: the right accuser is heard on, the wrong one less and less', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 70 })) as [Lab, LabHost]
  const accuse = async (row: number) => {
    const segment = await lab.store.segments.loadRow(row)
    return lab.requests.accuse(lab.device, { driveRow: 1, hostRow: host.row, segment: segment!.segment, index: 0 })
  }
  const segment = await lab.store.segments.loadRow(7)
  host.shards.delete(segment!.shards[0]!.shard)
  t.ok(await accuse(7))
  await lab.burst(host)
  t.match(await lab.standing(host), { verdicts: { fail: 1 } }, 'asked for with the very next burst')
  t.notOk(await accuse(7), 'it does not lie there any more')
  let heard = 0
  for (let nth = 0; nth < 60; nth++) {
    await lab.clock.leap(61_000)
    if (!(await accuse(10 + nth))) continue
    heard++
    await lab.burst(host)
  }
  t.equal((await lab.standing(host)).verdicts.fail, 1)
  t.ok(heard >= 2 && heard < 30, `${heard} of 60 were heard`)
})

t.test(
  'a host that loses everything goes down the ladder, is told at each step, and comes back when it proves again',
  async (t) => {
    const [lab, host] = (await labOf(t, { hosts: 2, segments: 200 })) as [Lab, LabHost]
    const kept = [...host.shards]
    for (const [shard] of kept.slice(0, 130)) host.shards.delete(shard)
    await lab.round(30)
    const down = await lab.standing(host)
    const states = down.notices.map((one) => one.state)
    t.same(
      ['suspended', 'review'].filter((state) => !states.includes(state as never)),
      [],
      states.join(' '),
    )
    t.ok(down.notices.every((one) => one.why.length > 0))
    await lab.round(300)
    t.match(
      await lab.standing(host),
      { shards: 70, state: 'review' },
      'it proves what it has, and two weeks are not over',
    )
    await lab.round(220)
    t.match(await lab.standing(host), { shards: 70, state: 'good' })
  },
)

t.test('losses: a word costs a quarter, and never takes a segment below what rebuilds it', async (t) => {
  const [lab] = await labOf(t, { hosts: 4, segments: 1 })
  const segment = await lab.store.segments.loadRow(1)
  const { pseudonymOf } = await import('../../../src/permits/pseudonym.js')
  for (const host of lab.hosts.slice(0, 3)) {
    const { index, shard, generation } = segment!.shards.find((one) => one.host === host.id)!
    const loss = { pseudonym: pseudonymOf(lab.drive, host.id), segment: segment!.segment, index, shard, generation }
    await lab.losses.take(lab.registry.get(host.id)!, { losses: [loss] })
  }
  t.equal((await lab.store.segments.loadRow(1))?.stored, 2, 'two of four rebuild it')
  t.ok((await lab.standing(lab.hosts[0]!)).score > 0.9997)
  lab.hosts[2]!.shards.clear()
  await lab.burst(lab.hosts[2]!)
  t.equal((await lab.store.segments.loadRow(1))?.stored, 1, 'the audit decides')
})

t.test('a restart in the middle of a round loses nothing that was found, and asks nobody twice', async (t) => {
  const [lab, host] = (await labOf(t, { hosts: 4, segments: 5 })) as [Lab, LabHost]
  host.shards.delete([...host.shards.keys()][0]!)
  await lab.audits.askNow(host.id, lab.signal)
  await lab.restart()
  await lab.close()
  t.match(await lab.standing(host), { shards: 4, verdicts: { fail: 1 } })
  const { score } = await lab.standing(host)
  await lab.restart()
  await lab.close()
  t.match(await lab.standing(host), { shards: 4, score, verdicts: { fail: 1 } })
})
