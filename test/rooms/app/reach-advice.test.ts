import t from 'tap'
import { adviseReach, type ReachFacts } from '../../../src/app/reach-advice.js'

const outside = { address: '203.0.113.9', port: 7_411 }
const sound: ReachFacts = {
  ...{ udpPort: 7_411, isRunning: false, own: ['10.0.0.2'], asked: 2, seen: [outside, outside], hasTurn: true },
  knock: { came: true },
  dial: { reached: true, tookMs: 20, kind: 'direct', outside },
}
const unreached = { reached: false as const, code: 'peer-unreachable', kind: null, outside: null }

function advised(changes: Partial<ReachFacts>): Record<string, string> {
  const checks = adviseReach({ ...sound, ...changes })
  return Object.fromEntries(checks.map(({ name, state, detail, hint }) => [name, `${state}: ${detail}; ${hint ?? ''}`]))
}

t.test('with everything in order nothing is to be done', async (t) => {
  t.same(
    adviseReach(sound).filter((one) => one.state !== 'ok'),
    [],
  )
})

t.test('with one STUN address the kind of the NAT is said to be unknown', async (t) => {
  t.match(advised({ seen: [outside] }).NAT, /^warn: .*cannot be told.*second STUN server/)
})

t.test('without any STUN server a dial shows that UDP works', async (t) => {
  t.match(advised({ asked: 0, seen: [] }).UDP, /^warn: passes; the bridge names no STUN server/)
})

t.test('when nothing answers, UDP is blocked, and nothing else is guessed', async (t) => {
  const found = advised({ seen: [], knock: { came: false }, dial: unreached })
  t.same(Object.keys(found), ['UDP'])
  t.match(found.UDP, /^fail: .*your network blocks UDP/)
})

t.test('a public machine whose firewall drops strangers is not told to set up a router', async (t) => {
  const found = advised({ own: [outside.address], knock: { came: false } })
  t.equal(found.NAT, undefined)
  t.match(found['from outside'], /^warn: .*firewall drops them: let UDP port 7411 in/)
})

t.test('a host without a fixed port is told to fix one', async (t) => {
  t.match(advised({ udpPort: undefined })['UDP port'], /^warn: none is fixed.*host\.json/)
})

t.test('a host that is reached through a relay, or not at all, is told so', async (t) => {
  t.match(advised({ dial: { reached: true, tookMs: 9, kind: 'relayed', outside } }).connection, /^warn: .*relay/)
  t.match(advised({ dial: unreached, hasTurn: false }).connection, /^fail: .*\[peer-unreachable\].*TURN server/)
})
