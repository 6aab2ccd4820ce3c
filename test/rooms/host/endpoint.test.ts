import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { systemRandom } from '../../../src/base/random.js'
import { shardTree, verifyLeaves } from '../../../src/crypto/merkle.js'
import { SigningKey } from '../../../src/crypto/signing-key.js'
import { bridgeId, hostId, peerId, pseudonymId, segmentId, shardId } from '../../../src/model/ids.js'
import { verifyReceipt } from '../../../src/permits/receipt.js'
import { decodeToken, type TokenFields } from '../../../src/permits/token.js'
import { signWitness } from '../../../src/permits/witness.js'
import * as wire from '../../../src/wire/methods.js'
import { fixed, NOW_MS, scratchDir } from '../../support/host-folder.js'
import { HostBench } from '../../support/host-network.js'
import { rampBytes } from '../../support/ramp.js'

const { METHOD } = wire

async function codeFrom(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return 'done'
  } catch (error) {
    return codeOf(error)
  }
}

t.test('put, get, head and delete through tokens; the receipt is the host word for exactly this', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 150_000)
  const { id } = await shardTree(payload)
  const token = await bench.putToken(1, payload, { generation: 4 })
  const { serial, target } = decodeToken(token)
  const reply = await bench.call(METHOD.put, wire.encodeTokenHead(token), payload)
  const receipt = verifyReceipt(wire.decodePutReply(reply.head), {
    host: bench.endpoint.host,
    serial,
    ...target,
    length: 150_000,
    generation: 4,
    incarnation: 1,
    pseudonym: decodeToken(token).pseudonym,
  })
  t.equal(receipt.storedAtMs, NOW_MS)
  t.equal(receipt.keepUntilMs, 0)

  const get = bench.token({ action: 'get' })
  const question = { token: get, shard: shardId(id), firstLeaf: 3, leafCount: 100 }
  const answer = await bench.call(METHOD.get, wire.encodeGetRequest(question))
  const { shardLength, proof } = wire.decodeGetReply(answer.head)
  t.ok(answer.body?.equals(payload.subarray(3 * 1024, 103 * 1024)))
  const claim = { shardId: id, shardLength, firstLeaf: 3, data: answer.body!, proof: Buffer.concat(proof) }
  t.ok(await verifyLeaves(claim))

  const head = await bench.call(METHOD.head, wire.encodeHeadRequest({ token: get, shard: shardId(id) }))
  t.same(wire.decodeHeadReply(head.head), { shardLength: 150_000, generation: 4, storedAtMs: NOW_MS })
  const ping = wire.decodePingReply((await bench.call(METHOD.ping, Buffer.alloc(0))).head)
  t.equal(ping.timeMs, NOW_MS)
  t.equal(ping.freeBytes, await bench.store.freeBytes())

  const tooOld = bench.token({ action: 'delete', target, generation: 3 })
  t.equal(await codeFrom(() => bench.call(METHOD.delete, wire.encodeTokenHead(tooOld))), 'old-generation')
  const del = bench.token({ action: 'delete', target, generation: 4 })
  await bench.call(METHOD.delete, wire.encodeTokenHead(del))
  t.equal(await codeFrom(() => bench.call(METHOD.get, wire.encodeGetRequest(question))), 'shard-not-found')
  await bench.stop()
})

t.test('a token is good for one holder, host, bridge, action, time and shard', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 3000)
  await bench.put(1, payload)
  const stranger = SigningKey.random(systemRandom)
  const target = decodeToken(await bench.putToken(2, payload)).target!
  const put = { action: 'put' as const, bytes: 3000, target }
  const hour = 3_600_000
  const cases: [string, Partial<TokenFields>, string, number?][] = [
    ['of another bridge', { bridge: bridgeId(stranger.id) }, 'token-other-bridge'],
    ['for another host', { host: hostId(stranger.id) }, 'token-other-host'],
    ['of another device', { holder: peerId(stranger.id) }, 'token-other-holder'],
    ['expired 5 min ago', { notBeforeMs: NOW_MS - hour, notAfterMs: NOW_MS - 300_001 }, 'token-expired'],
    ['expired, within tolerance', { notBeforeMs: NOW_MS - hour, notAfterMs: NOW_MS - 299_999 }, 'done'],
    ['not valid yet', { notBeforeMs: NOW_MS + 300_001, notAfterMs: NOW_MS + hour }, 'token-not-yet'],
    ['early, within tolerance', { notBeforeMs: NOW_MS + 299_999, notAfterMs: NOW_MS + hour }, 'done'],
    ['that lives for a year', { notAfterMs: NOW_MS + 365 * 24 * hour }, 'token-malformed'],
    ['for more bytes', { bytes: 3001 }, 'token-wrong-shard'],
    ['for another shard', { target: { ...target, shard: shardId(fixed('other', 1, 32)) } }, 'shard-mismatch'],
  ]
  for (const [name, changes, code] of cases) {
    const number = Math.floor(Math.random() * 1e9)
    const place = { ...(changes.target ?? target), segment: segmentId(fixed('case', number, 32)) }
    const token = bench.token({ ...put, ...changes, target: place })
    t.equal(await codeFrom(() => bench.call(METHOD.put, wire.encodeTokenHead(token), payload)), code, `a token ${name}`)
  }
  const forged = bench.token({ ...put }, stranger)
  t.equal(await codeFrom(() => bench.call(METHOD.put, wire.encodeTokenHead(forged), payload)), 'token-signature')
  const get = wire.encodeTokenHead(bench.token({ action: 'get' }))
  t.equal(await codeFrom(() => bench.call(METHOD.put, get, payload)), 'token-action')
  t.equal(await codeFrom(() => bench.call(METHOD.delete, get)), 'token-action')
  const asGet = { token: bench.token(put), shard: target.shard, firstLeaf: 0, leafCount: 1 }
  t.equal(await codeFrom(() => bench.call(METHOD.get, wire.encodeGetRequest(asGet))), 'token-action')
  const once = wire.encodeTokenHead(await bench.putToken(50, payload))
  t.equal(await codeFrom(() => bench.call(METHOD.put, once, payload)), 'done')
  t.equal(await codeFrom(() => bench.call(METHOD.put, once, payload)), 'token-used')
  t.equal(await codeFrom(() => bench.call(99, Buffer.alloc(0))), 'unknown-method')
  t.equal(await codeFrom(() => bench.call(METHOD.ping, Buffer.alloc(0), payload)), 'malformed')
  await bench.stop()
})

t.test('a GET token is checked for holder and time each time although its signature is known', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 5000)
  await bench.put(1, payload)
  const { id } = await shardTree(payload)
  const ask = (token: Buffer, from = bench.peer) =>
    codeFrom(() =>
      bench.call(
        METHOD.get,
        wire.encodeGetRequest({ token, shard: shardId(id), firstLeaf: 0, leafCount: 5 }),
        undefined,
        from,
      ),
    )
  const token = bench.token({ action: 'get' })
  t.equal(await ask(token), 'done')
  t.equal(await ask(token, peerId(systemRandom(32))), 'token-other-holder')
  const bent = Buffer.from(token)
  bent[290]! ^= 1
  t.equal(await ask(bent), 'token-signature')
  bench.nowMs = NOW_MS + 3_600_000 + 300_001
  t.equal(await ask(token), 'token-expired')
  bench.nowMs = NOW_MS
  const small = bench.token({ action: 'get', bytes: 12_000 })
  t.same([await ask(small), await ask(small), await ask(small)], ['done', 'done', 'token-budget-spent'])
  const otherDrive = bench.token({ action: 'get', pseudonym: pseudonymId(fixed('drive', 7, 16)) })
  t.equal(await ask(otherDrive), 'shard-not-found')
  await bench.stop()
})

t.test('deletes of a bridge that was restored since are refused', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 5000)
  await bench.put(1, payload)
  const target = decodeToken(await bench.putToken(1, payload)).target
  bench.endpoint.desk.learnIncarnation(2)
  const old = bench.token({ action: 'delete', target, incarnation: 1 })
  t.equal(await codeFrom(() => bench.call(METHOD.delete, wire.encodeTokenHead(old))), 'token-old-incarnation')
  const now = bench.token({ action: 'delete', target, incarnation: 2, holder: peerId(bench.bridge.id) })
  await bench.endpoint.deleteShard(peerId(bench.bridge.id), now)
  await bench.stop()
})

t.test('the newest head witness of a pseudonym stays, also over a lost index', async (t) => {
  const dir = scratchDir(t)
  const bench = await HostBench.open(dir)
  const token = bench.token({ action: 'get' })
  const pseudonym = pseudonymId(fixed('drive', 0, 16))
  const witness = (sequence: number, key = bench.device) =>
    signWitness({ pseudonym, sequence, hash: Buffer.alloc(32, sequence), timeMs: NOW_MS }, key)
  const put = (bytes: Buffer) =>
    codeFrom(() => bench.call(METHOD.putWitness, wire.encodePutWitnessRequest({ token, witness: bytes })))
  const get = async () =>
    wire.decodeGetWitnessReply((await bench.call(METHOD.getWitness, wire.encodeTokenHead(token))).head)
  t.equal(await get(), null)
  t.equal(await put(witness(5)), 'done')
  t.equal(await put(witness(5)), 'done', 'the same again')
  t.equal(await put(witness(4)), 'witness-older')
  t.equal(await put(witness(9, SigningKey.random(systemRandom))), 'witness-mismatch')
  const bent = witness(10)
  bent[40]! ^= 1
  t.equal(await put(bent), 'witness-signature')
  t.ok((await get())?.equals(witness(5)))
  await bench.stop()
})

t.test('many peers at once: every answer is right, and what is too much is told busy', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payloads = Array.from({ length: 200 }, (_, i) => rampBytes(i, 1 + ((i * 7919) % 70_000)))
  await Promise.all(payloads.map((payload, i) => bench.put(i, payload)))
  const token = bench.token({ action: 'get' })
  const asks = payloads.flatMap((payload) => Array.from({ length: 8 }, () => payload))
  const codes = await Promise.all(
    asks.map((payload) =>
      codeFrom(async () => {
        const { id } = await shardTree(payload)
        const leafCount = Math.ceil(payload.length / 1024)
        const { body } = await bench.call(
          METHOD.get,
          wire.encodeGetRequest({ token, shard: shardId(id), firstLeaf: 0, leafCount }),
        )
        if (!body?.equals(payload)) throw new Error('other bytes')
      }),
    ),
  )
  const counts = new Map<string, number>()
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1)
  t.ok((counts.get('done') ?? 0) >= 1_056, 'what fits into turns and queue is answered')
  t.equal((counts.get('done') ?? 0) + (counts.get('busy') ?? 0), asks.length)
  await bench.stop()
})

t.test('a request that was cancelled while it waited costs nothing', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 3000)
  const token = await bench.putToken(1, payload)
  const aborted = AbortSignal.abort(new Error('gone'))
  const request = { method: METHOD.put, head: wire.encodeTokenHead(token), body: payload, replyBytesMax: 0 }
  await t.rejects(bench.endpoint.serve(bench.peer, { ...request, signal: aborted }), /gone/)
  await bench.call(METHOD.put, wire.encodeTokenHead(token), payload)
  await bench.stop()
})

t.test('a range that the requester has no room for, or that does not exist, is refused', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  const payload = rampBytes(1, 5000)
  await bench.put(1, payload)
  const shard = shardId((await shardTree(payload)).id)
  const token = bench.token({ action: 'get' })
  const ask = (firstLeaf: number, leafCount: number, replyBytesMax: number) =>
    codeFrom(() => {
      const head = wire.encodeGetRequest({ token, shard, firstLeaf, leafCount })
      const signal = new AbortController().signal
      return bench.endpoint.serve(bench.peer, {
        method: METHOD.get,
        head,
        body: Buffer.alloc(0),
        replyBytesMax,
        signal,
      })
    })
  t.equal(await ask(0, 5, 4999), 'too-large')
  t.equal(await ask(0, 5, 5000), 'done')
  t.equal(await ask(0, 6, 9999), 'malformed')
  t.equal(await ask(5, 1, 9999), 'malformed')
  t.equal(await ask(1919, 1, 9999), 'malformed')
  await bench.stop()
})
