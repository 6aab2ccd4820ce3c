/** What a host answers to an audit: proofs of what it has, the truth about what it has not, and nothing to strangers. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { codeOf } from '../../../src/base/errors.js'
import { systemRandom } from '../../../src/base/random.js'
import { shardTree } from '../../../src/crypto/merkle.js'
import { SigningKey } from '../../../src/crypto/signing-key.js'
import { bridgeId, type PeerId, pseudonymId, shardId } from '../../../src/model/ids.js'
import { decodeChallenge, encodeTranscript, verifyTranscript } from '../../../src/permits/audit.js'
import * as wire from '../../../src/wire/methods.js'
import { fixed, scratchDir } from '../../support/host-folder.js'
import { HostBench } from '../../support/host-network.js'
import { rampBytes } from '../../support/ramp.js'

async function ask(bench: HostBench, challenge: Buffer) {
  const from: PeerId = bridgeId(bench.bridge.id)
  const { head, body = Buffer.alloc(0) } = await bench.call(wire.METHOD.audit, challenge, Buffer.alloc(0), from)
  const answer = wire.decodeAuditReply(head)
  return { body, ...(await verifyTranscript(encodeTranscript({ challenge, answer, body }))) }
}

async function shardOf(seed: number, length: number) {
  const payload = rampBytes(seed, length)
  return { payload, shard: shardId((await shardTree(payload)).id) }
}

t.test('leaves are proved, the first, the last, a short one, sixteen at once', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  t.teardown(() => bench.stop())
  const small = await shardOf(1, 700)
  const large = await shardOf(2, 1_966_080)
  const odd = await shardOf(3, 75_001)
  for (const [at, one] of [small, large, odd].entries()) await bench.put(at, one.payload)
  const items = [
    { shard: small.shard, leaf: 0 },
    ...[0, 63, 64, 1_919].map((leaf) => ({ shard: large.shard, leaf })),
    ...[0, 72, 73].map((leaf) => ({ shard: odd.shard, leaf })),
    ...Array.from({ length: 8 }, (_, at) => ({ shard: large.shard, leaf: 200 * at + 1 })),
  ]
  const { findings, body } = await ask(bench, bench.challenge(items))
  t.same(findings, Array(16).fill('proved'))
  t.ok(body.length <= wire.AUDIT_BODY_BYTES_MAX)
})

t.test('what is not there, is damaged, or was never of that drive is said as it is', async (t) => {
  const dir = scratchDir(t)
  const bench = await HostBench.open(dir)
  t.teardown(() => bench.stop())
  const [whole, rotten] = [await shardOf(1, 5_000), await shardOf(2, 5_000)]
  await bench.put(1, whole.payload)
  await bench.put(2, rotten.payload)
  rot(path.join(dir, 'volumes'), rotten.payload)
  const { findings } = await ask(
    bench,
    bench.challenge([
      { shard: whole.shard, leaf: 1 },
      { shard: rotten.shard, leaf: 1 },
      { shard: shardId(fixed('nowhere', 0, 32)), leaf: 0 },
      { shard: whole.shard, leaf: 5 },
      { shard: whole.shard, leaf: 1, pseudonym: pseudonymId(fixed('other', 0, 16)) },
    ]),
  )
  t.same(findings, ['proved', 'damaged', 'not-found', 'not-found', 'not-found'])
})

/** One byte of the payload on disk, behind its first leaf. */
function rot(volumes: string, payload: Buffer): void {
  for (const name of fs.readdirSync(volumes)) {
    const file = path.join(volumes, name)
    const bytes = fs.readFileSync(file)
    const at = bytes.indexOf(payload.subarray(0, 2_048))
    if (at < 0) continue
    bytes.writeUInt8(bytes.readUInt8(at + 1_500) ^ 1, at + 1_500)
    fs.writeFileSync(file, bytes)
  }
}

t.test('only the pinned bridge is answered, about this host, at this time', async (t) => {
  const bench = await HostBench.open(scratchDir(t))
  t.teardown(() => bench.stop())
  const { payload, shard } = await shardOf(1, 5_000)
  await bench.put(1, payload)
  const items = [{ shard, leaf: 0 }]
  const bridge = bridgeId(bench.bridge.id)
  const codeFor = async (challenge: Buffer, from: PeerId = bridge) => {
    const answer = bench.call(wire.METHOD.audit, challenge, Buffer.alloc(0), from)
    return answer.then(() => 'answered').catch(codeOf)
  }
  const stranger = SigningKey.random(systemRandom)
  t.equal(await codeFor(bench.challenge(items)), 'answered')
  t.equal(await codeFor(bench.challenge(items), bench.peer), 'not-the-bridge')
  t.equal(await codeFor(bench.challenge(items, {}, stranger)), 'audit-signature')
  t.equal(await codeFor(bench.challenge(items, { bridge: bridgeId(stranger.id) }, stranger)), 'audit-mismatch')
  t.equal(await codeFor(bench.challenge(items, { host: stranger.id as never })), 'audit-mismatch')
  t.equal(await codeFor(bench.challenge(items, { issuedAtMs: bench.nowMs - 600_000 })), 'clock-skew')
  t.equal(await codeFor(bench.challenge(items).subarray(1)), 'malformed')
  t.same(decodeChallenge(bench.challenge(items)).items.length, 1)
})
