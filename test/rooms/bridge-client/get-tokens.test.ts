import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { GetTokens } from '../../../src/bridge-client/get-tokens.js'
import { bridgeId, deviceId, type HostId, hostId, pseudonymId, serialId } from '../../../src/model/ids.js'
import { decodeToken, signToken } from '../../../src/permits/token.js'
import { noiseBytes } from '../../support/noise.js'
import { keyOf } from '../../support/secrets.js'

const HOUR_MS = 3_600_000
const bridge = keyOf(1)
const hostOf = (seed: number): HostId => hostId(noiseBytes(seed, 32))
const signal = new AbortController().signal

function tokenFor(host: HostId, notBeforeMs: number): Buffer {
  const fields = {
    action: 'get' as const,
    bridge: bridgeId(bridge.id),
    incarnation: 1,
    host,
    holder: deviceId(keyOf(2).id),
    pseudonym: pseudonymId('0'.repeat(32)),
    generation: 0,
    bytes: 1_000,
    notBeforeMs,
    notAfterMs: notBeforeMs + HOUR_MS,
    serial: serialId('0'.repeat(32)),
    target: null,
  }
  return signToken(fields, bridge)
}

class World {
  nowMs = 1_700_000_000_000
  asked: HostId[][] = []
  saved: Buffer | null = null
  failure: Error | null = null
  unknown = new Set<HostId>()

  tokens(): GetTokens {
    return new GetTokens({
      fetch: async (hosts) => {
        this.asked.push([...hosts])
        if (this.failure) throw this.failure
        const known = hosts.filter((host) => !this.unknown.has(host))
        return new Map(known.map((host) => [host, tokenFor(host, this.nowMs)]))
      },
      nowMs: () => this.nowMs,
      store: {
        load: async () => this.saved,
        save: async (bytes) => {
          this.saved = bytes
        },
      },
      log: silentLog,
    })
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const away = new AppError('bridge-unreachable', 'away', { retry: 'later' })

t.test('hosts asked for at once are asked of the bridge at once, and then not again', async (t) => {
  const world = new World()
  const tokens = world.tokens()
  const hosts = [1, 2, 3].map(hostOf)
  const first = await Promise.all([...hosts, ...hosts].map((host) => tokens.token(host, signal)))
  t.same(world.asked, [hosts])
  t.same(
    first.slice(0, 3).map((token) => decodeToken(token).host),
    hosts,
  )
  t.same(await tokens.token(hostOf(1), signal), first[0])
  t.equal(world.asked.length, 1)
})

t.test('from half of its time on a token is renewed while it serves', async (t) => {
  const world = new World()
  const tokens = world.tokens()
  await Promise.all([1, 2].map((seed) => tokens.token(hostOf(seed), signal)))
  world.nowMs += HOUR_MS / 2
  const old = await tokens.token(hostOf(1), signal)
  t.equal(decodeToken(old).notBeforeMs, world.nowMs - HOUR_MS / 2, 'nobody waits')
  await settled()
  t.same(world.asked[1], [hostOf(1), hostOf(2)], 'everything past its half, in one call')
  t.equal(decodeToken(await tokens.token(hostOf(2), signal)).notBeforeMs, world.nowMs)
  t.equal(world.asked.length, 2)
})

t.test('without a bridge tokens serve to their end, and the bridge is not pestered', async (t) => {
  const world = new World()
  const tokens = world.tokens()
  await tokens.token(hostOf(1), signal)
  world.failure = away
  world.nowMs += HOUR_MS / 2 + 1
  for (let i = 0; i < 10; i++) {
    t.ok(await tokens.token(hostOf(1), signal))
    await settled()
  }
  t.equal(world.asked.length, 2, 'asked once in 30 s')
  world.nowMs += HOUR_MS / 2 - 10_000
  t.ok(await tokens.token(hostOf(1), signal))
  world.nowMs += 10_000
  await t.rejects(tokens.token(hostOf(1), signal), { code: 'bridge-unreachable' })
  world.failure = null
  t.equal(decodeToken(await tokens.token(hostOf(1), signal)).notBeforeMs, world.nowMs)
})

t.test('tokens outlive the process, as far as they are valid', async (t) => {
  const world = new World()
  await world.tokens().token(hostOf(1), signal)
  await settled()
  world.failure = away
  t.ok(await world.tokens().token(hostOf(1), signal), 'a cold start with the bridge away')
  world.nowMs += HOUR_MS
  await t.rejects(world.tokens().token(hostOf(1), signal), { code: 'bridge-unreachable' })
  world.failure = null
  for (const junk of [Buffer.alloc(297), Buffer.alloc(1_000, 0xff), Buffer.alloc(5)]) {
    world.saved = junk
    t.ok(await world.tokens().token(hostOf(1), signal), 'junk in the store is as good as nothing')
  }
})

t.test('a host that the bridge does not know, a forgotten token, an abort', async (t) => {
  const world = new World()
  const tokens = world.tokens()
  world.unknown.add(hostOf(9))
  const [known, unknown] = await Promise.allSettled([tokens.token(hostOf(1), signal), tokens.token(hostOf(9), signal)])
  t.equal(known.status, 'fulfilled')
  t.match(unknown, { reason: { code: 'unknown-host', retry: 'elsewhere' } })
  tokens.forget(hostOf(1))
  await tokens.token(hostOf(1), signal)
  t.equal(world.asked.length, 2)
  const stop = new AbortController()
  const call = tokens.token(hostOf(2), stop.signal)
  const reason = new Error('enough')
  stop.abort(reason)
  await t.rejects(call, reason)
  await t.rejects(tokens.token(hostOf(1), stop.signal), reason)
})

t.test('a token for another host is refused', async (t) => {
  const tokens = new GetTokens({
    fetch: async (hosts) => new Map(hosts.map((host) => [host, tokenFor(hostOf(7), 0)])),
    nowMs: () => 0,
    store: { load: async () => null, save: async () => {} },
    log: silentLog,
  })
  await t.rejects(tokens.token(hostOf(1), signal), { code: 'malformed' })
})
