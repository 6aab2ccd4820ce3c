import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { until } from '../../../support/named.js'
import { rampBytes } from '../../../support/ramp.js'
import { type Manner, sealed, TestNet } from './support.js'

const never = new AbortController().signal

t.test('stored at c receipts and the commit; settled when every shard was tried', async (t) => {
  const net = new TestNet()
  net.set(7, 'hang')
  const segment = await sealed(rampBytes(1, 100_000))
  const push = net.pusher().push(segment, never)
  const grant = await push.stored
  t.equal(grant.commit, 7)
  let isSettled = false
  void push.settled.then(() => {
    isSettled = true
  })
  await turn()
  t.notOk(isSettled, 'the late one is still on its way')
  net.answerAll()
  t.equal(await push.settled, 8)
  t.equal(net.known(segment.info.segment).size, 8, 'its receipt is reported too')
})

for (const manner of ['gone', 'other-shard', 'other-host', 'garbage', 'refuses'] satisfies Manner[]) {
  t.test(`a host that is ${manner} counts for nothing; fewer than c receipts are not stored`, async (t) => {
    const net = new TestNet()
    net.set(2, manner)
    const pusher = net.pusher()
    const push = pusher.push(await sealed(rampBytes(2, 50_000)), never)
    await push.stored
    t.equal(await push.settled, 7)
    net.set(3, manner)
    const short = pusher.push(await sealed(rampBytes(3, 50_000)), never)
    await t.rejects(short.stored, { code: 'not-enough-hosts', retry: 'later', details: { receipts: 6, needed: 7 } })
    t.equal(await short.settled, 6)
  })
}

t.test('a second attempt sends only what is missing, and earlier receipts count', async (t) => {
  const net = new TestNet()
  net.set(0, 'refuses')
  net.set(1, 'refuses')
  const pusher = net.pusher()
  const segment = await sealed(rampBytes(4, 50_000))
  await t.rejects(pusher.push(segment, never).stored, { code: 'not-enough-hosts' })
  net.manners.clear()
  net.asked.length = 0
  await pusher.push(segment, never).stored
  t.same(net.asked, [net.id(0), net.id(1)])
})

t.test('a commit whose answer was lost is asked for again, without any push', async (t) => {
  const net = new TestNet()
  const pusher = net.pusher()
  const segment = await sealed(rampBytes(5, 50_000))
  net.commitFailures = ['after', 'after', 'after', 'after']
  await t.rejects(pusher.push(segment, never).stored, { code: 'bridge-unreachable' })
  net.commitFailures = []
  net.asked.length = 0
  await pusher.push(segment, never).stored
  t.same(net.asked, [])
})

t.test(
  'a bridge that dies before it takes receipts, and once more after it took them, is believed in the end',
  async (t) => {
    const net = new TestNet()
    const pusher = net.pusher()
    const segment = await sealed(rampBytes(5, 50_000))
    for (const moment of ['before', 'after'] as const) {
      net.commitFailures = Array.from({ length: 8 }, () => moment)
      await t.rejects(pusher.push(segment, never).stored, { code: 'bridge-unreachable' })
    }
    net.commitFailures = []
    net.asked.length = 0
    await pusher.push(segment, never).stored
    t.same(net.asked, [], 'it names no shard any more: only what we kept shows that hosts have them')
  },
)

t.test('a commit that fails once is made good by the next', async (t) => {
  const net = new TestNet()
  net.commitFailures = ['before']
  await net.pusher().push(await sealed(rampBytes(6, 50_000)), never).stored
  t.pass('stored')
})

t.test('a busy host is asked again, one that cannot be reached is left out for a while', async (t) => {
  const net = new TestNet()
  net.set(0, 'busy-once')
  net.set(1, 'gone')
  const pusher = net.pusher()
  const first = pusher.push(await sealed(rampBytes(7, 50_000)), never)
  await until(() => net.clock.sleeping > 0)
  await net.clock.advance(1_000)
  t.equal(await first.settled, 7)
  net.asked.length = 0
  await pusher.push(await sealed(rampBytes(8, 50_000)), never).settled
  t.notOk(net.asked.includes(net.id(1)))
  await net.clock.advance(10_000)
  net.asked.length = 0
  await pusher.push(await sealed(rampBytes(9, 50_000)), never).settled
  t.ok(net.asked.includes(net.id(1)))
})

t.test('a host that could not be reached is asked again at once when the bridge is back', async (t) => {
  const net = new TestNet()
  net.set(1, 'gone')
  const pusher = net.pusher()
  await pusher.push(await sealed(rampBytes(14, 50_000)), never).settled
  net.set(1, 'well')
  pusher.hurry()
  t.equal(await pusher.push(await sealed(rampBytes(15, 50_000)), never).settled, 8)
})

t.test(
  'a bridge that wants too few receipts, or speaks of a commit that nobody signed for, is not believed',
  async (t) => {
    const net = new TestNet()
    net.needed = 5
    await t.rejects(net.pusher().push(await sealed(rampBytes(10, 9_000)), never).stored, { code: 'malformed' })
    const liar = new TestNet()
    for (let at = 0; at < 5; at++) liar.set(at, 'gone')
    liar.commit = async () => ({ stored: 8, committed: true })
    await t.rejects(liar.pusher().push(await sealed(rampBytes(11, 9_000)), never).stored, { code: 'not-enough-hosts' })
  },
)

t.test('an aborted push ends at once with the reason; leave() ends what is late', async (t) => {
  const net = new TestNet()
  for (let at = 0; at < 8; at++) net.set(at, 'hang')
  const stop = new AbortController()
  const push = net.pusher().push(await sealed(rampBytes(12, 9_000)), stop.signal)
  await until(() => net.asked.length === 8)
  stop.abort(new Error('enough'))
  await t.rejects(push.stored, { message: 'enough' })
  t.equal(await push.settled, 0)
  const other = new TestNet()
  other.set(5, 'hang')
  const late = other.pusher().push(await sealed(rampBytes(13, 9_000)), never)
  await late.stored
  late.leave()
  t.equal(await late.settled, 7)
  t.equal(other.left, 1)
})
