/** The circuit breaker: a fault of the bridge costs nobody anything, and nobody hides behind it for ever. */
import t from 'tap'
import { frozenBecause, isStubborn, SHIELD_MS } from '../../../src/bridge/audits/breaker.js'
import { partiesOf } from '../../../src/bridge/reputation/groups.js'
import { WINDOW_MS } from '../../../src/bridge/reputation/online.js'
import { decodeChallenge } from '../../../src/permits/audit.js'
import { decodeAuditRequest } from '../../../src/wire/methods.js'
import { Lab, type LabHost, type LabOptions } from '../../support/audit-lab.js'

/** A sixth of what a bridge asks. */
const ROUNDS_A_DAY = 6
const EVERY_MS = 4 * 3_600_000

async function labOf(t: { testdir(): string; teardown(work: () => void): void }, options: LabOptions): Promise<Lab> {
  const lab = await Lab.open(t.testdir(), { policy: 'standard', shardBytes: 1_024, everyMs: EVERY_MS, ...options })
  t.teardown(() => lab.stop())
  return lab
}

/** The first `count` are in one network, under as many names; everybody else stands alone. */
const oneNetwork = (count: number) => (at: number) => ({
  operator: `op${at}`,
  subnet: at < count ? '10.9.9.0/24' : `10.0.${at}.0/24`,
})
const alone = (at: number) => ({ operator: null, subnet: `10.0.${at}.0/24` })

/** Audits of these hosts find nothing from now on; what is put there later neither. */
function forget(hosts: readonly LabHost[]): void {
  for (const host of hosts) host.shards.clear()
}

const states = async (lab: Lab, hosts: readonly LabHost[]) =>
  Promise.all(hosts.map(async (host) => (await lab.standing(host)).state))

t.test('the breaker counts parties, and shards of a segment, each once', async (t) => {
  const found = (count: number, shards = 1) =>
    Array.from({ length: count }, (_, hostRow) =>
      Array.from({ length: shards }, (_, index) => ({ hostRow, segmentRow: hostRow, index })),
    ).flat()
  t.equal(frozenBecause(found(2), 2, 2), null, 'two of two are no flood')
  t.equal(frozenBecause(found(3), 3, 30), null, 'a tenth is not more than a tenth')
  t.match(frozenBecause(found(3), 3, 29), /3 of 29/)
  t.equal(frozenBecause(found(20), 1, 29), null, 'twenty of one party are one')
  t.equal(frozenBecause(found(2, 6), 2, 100), null)
  t.match(frozenBecause(found(1, 7), 1, 100), /7 shards of one segment/)
})

t.test('parties share neither an operator nor a network', async (t) => {
  const host = (operator: string | null, subnet: string) => ({ operator, subnet })
  const names = Array.from({ length: 20 }, (_, at) => `n${at}`)
  t.equal(partiesOf([]), 0)
  t.equal(partiesOf(names.map((one) => host(null, one))), 20)
  t.equal(partiesOf(names.map((one) => host(one, 'same'))), 1)
  t.equal(partiesOf(names.map((one) => host('same', one))), 1)
  const both = [...names.map((one) => host(one, 'same')), ...names.map((one) => host('same', `other ${one}`))]
  t.equal(partiesOf(both), 2, 'many names in one network, and one name in many')
  const strangers = names.map((one) => host(one, one))
  const bridges = names.map((one) => host(one, 'mine'))
  t.equal(partiesOf([...bridges, ...strangers]), 20, 'who names himself like all the others makes no one of them')
})

t.test('the shield lasts for four days of failing on', async (t) => {
  const days = SHIELD_MS / WINDOW_MS
  t.notOk(isStubborn({ first: 100, windows: 8 }, 100 + days))
  t.ok(isStubborn({ first: 100, windows: 3 }, 101 + days))
  t.notOk(isStubborn({ first: 100, windows: 2 }, 101 + days), 'two bad half days are no habit')
})

t.test('twenty hosts in one network that fail together shield nobody, whatever names they have', async (t) => {
  const lab = await labOf(t, { hosts: 40, segments: 160, shardsEach: 2, factsOf: oneNetwork(20) })
  forget(lab.hosts.slice(0, 20))
  await lab.round(4)
  t.equal((await lab.audits.status()).freezes, 0)
  t.same(new Set(await states(lab, lab.hosts.slice(0, 20))), new Set(['review']))
  t.same(new Set(await states(lab, lab.hosts.slice(20))), new Set(['good']))
})

/** As if the bridge asked with each burst for something that nobody ever gave the host. */
function askAmiss(host: LabHost, isAmiss: () => boolean): void {
  host.trick = async (request, answer) => {
    const [item] = decodeChallenge(decodeAuditRequest(request.head)).items
    const bytes = item === undefined ? undefined : host.shards.get(item.shard)
    if (item === undefined || bytes === undefined || !isAmiss()) return answer()
    host.shards.delete(item.shard)
    const reply = await answer()
    host.shards.set(item.shard, bytes)
    return reply
  }
}

t.test('a fault of the bridge that meets most hosts costs nobody anything, however long it lasts', async (t) => {
  const lab = await labOf(t, { hosts: 10, segments: 120, factsOf: alone })
  const failing = lab.hosts.slice(0, 6)
  for (const host of failing) askAmiss(host, () => true)
  await lab.round(6 * ROUNDS_A_DAY)
  t.ok((await lab.audits.status()).freezes > 5 * ROUNDS_A_DAY, 'it went on all the time')
  for (const host of failing) t.match(await lab.standing(host), { score: 1, state: 'good', verdicts: { fail: 0 } })
})

t.test('one that meets a third of the hosts costs nothing for three days', async (t) => {
  const lab = await labOf(t, { hosts: 10, segments: 120, factsOf: alone })
  const failing = lab.hosts.slice(0, 3)
  let isFaulty = true
  for (const host of failing) askAmiss(host, () => isFaulty)
  await lab.round(3 * ROUNDS_A_DAY)
  t.ok((await lab.audits.status()).freezes > 2 * ROUNDS_A_DAY)
  isFaulty = false
  await lab.round(3 * ROUNDS_A_DAY)
  for (const host of failing) t.match(await lab.standing(host), { score: 1, state: 'good', verdicts: { fail: 0 } })
})

t.test('hosts that fail on for days while most others are fine are shielded for four days and no longer', async (t) => {
  const lab = await labOf(t, { hosts: 10, segments: 120, factsOf: alone })
  const liars = lab.hosts.slice(0, 3)
  for (const host of liars) askAmiss(host, () => true)
  await lab.round(4 * ROUNDS_A_DAY)
  t.ok((await lab.audits.status()).freezes > 3 * ROUNDS_A_DAY)
  t.same(new Set(await states(lab, lab.hosts)), new Set(['good']), 'until then it may be the bridge')
  await lab.round(2 * ROUNDS_A_DAY)
  t.same(new Set(await states(lab, liars)), new Set(['suspended']))
  t.same(new Set(await states(lab, lab.hosts.slice(3))), new Set(['good']))
})
