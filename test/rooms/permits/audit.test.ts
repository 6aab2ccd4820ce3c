import t from 'tap'
import { sha256 } from '../../../src/crypto/hash.js'
import { shardTree } from '../../../src/crypto/merkle.js'
import * as audit from '../../../src/permits/audit.js'
import { AUDIT_BODY_BYTES_MAX, CHALLENGE_BYTES_MAX } from '../../../src/wire/methods.js'
import { rampBytes } from '../../support/ramp.js'
import { keyOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

interface Vectors {
  bridgeSeed: string
  hostSeed: string
  /** Of the shard: rampBytes(seed, length). */
  shard: { seed: number; length: number; id: string }
  challenge: audit.Challenge
  outcomes: audit.Outcome[]
  answeredAtMs: number
  encoded: { challenge: string; answer: string; body: string; transcript: string }
  broken: { name: string; transcript: string; code: string }[]
}
const vectors = readVectors<Vectors>('audit/audit')
const { challenge, encoded } = vectors
const body = hex(encoded.body)

t.test('the golden challenge, answer and transcript are made and verified to the byte', async (t) => {
  t.equal((await shardTree(rampBytes(vectors.shard.seed, vectors.shard.length))).id.toString('hex'), vectors.shard.id)
  t.equal(audit.signChallenge(challenge, keyOf(vectors.bridgeSeed)).toString('hex'), encoded.challenge)
  t.same(audit.verifyChallenge(hex(encoded.challenge), { ...challenge, nowMs: challenge.issuedAtMs }), challenge)
  const answer: audit.Answer = {
    ...{ host: challenge.host, serial: challenge.serial, challengeHash: sha256(hex(encoded.challenge)) },
    ...{ answeredAtMs: vectors.answeredAtMs, outcomes: vectors.outcomes, bodyHash: sha256(body) },
  }
  t.equal(audit.signAnswer(answer, keyOf(vectors.hostSeed)).toString('hex'), encoded.answer)
  const parts = { challenge: hex(encoded.challenge), answer: hex(encoded.answer), body }
  t.equal(audit.encodeTranscript(parts).toString('hex'), encoded.transcript)
  const verified = await audit.verifyTranscript(hex(encoded.transcript))
  t.same(verified.challenge, challenge)
  t.same(verified.findings, ['proved', 'proved', 'not-found', 'damaged', 'unreadable'])
})

for (const { name, transcript, code } of vectors.broken) {
  t.test(`transcript refused with ${code}: ${name}`, async (t) => {
    await t.rejects(audit.verifyTranscript(hex(transcript)), { code })
  })
}

t.test('a challenge is for one host, of one bridge, of this time', async (t) => {
  const bytes = hex(encoded.challenge)
  const nowMs = challenge.issuedAtMs
  const [other] = [challenge.bridge as string]
  t.throws(() => audit.verifyChallenge(bytes, { ...challenge, host: other as never, nowMs }), {
    code: 'audit-mismatch',
  })
  t.throws(() => audit.verifyChallenge(bytes, { ...challenge, bridge: challenge.host as never, nowMs }), {
    code: 'audit-mismatch',
  })
  t.throws(() => audit.verifyChallenge(bytes, { ...challenge, nowMs: nowMs + 301_000 }), { code: 'clock-skew' })
})

t.test('proofs that a host signed and that are none are wrong, one by one', async (t) => {
  const answer = audit.decodeAnswer(hex(encoded.answer))
  const judged = (changed: Buffer) => audit.judge(challenge, answer, changed)
  const flipped = Buffer.from(body)
  flipped.writeUInt8(flipped.readUInt8(100) ^ 1, 100)
  t.same((await judged(flipped)).slice(0, 2), ['wrong', 'proved'])
  t.same((await judged(body.subarray(0, body.length - 1))).slice(0, 2), ['proved', 'wrong'])
  t.same((await judged(Buffer.concat([body, Buffer.alloc(1)]))).slice(0, 2), ['wrong', 'wrong'])
  t.same((await judged(Buffer.alloc(0))).slice(0, 2), ['wrong', 'wrong'])
  const longer = Buffer.from(body)
  longer.writeUInt32BE(vectors.shard.length + 1, 0)
  t.equal((await judged(longer))[0], 'wrong', 'the shard id commits to the length')
})

t.test('the largest challenge fits a head, and sixteen proofs of the largest shard the body', async (t) => {
  const items = Array.from({ length: 16 }, () => challenge.items[0] as audit.AuditItem)
  t.equal(audit.signChallenge({ ...challenge, items }, keyOf(vectors.bridgeSeed)).length, CHALLENGE_BYTES_MAX)
  t.ok(CHALLENGE_BYTES_MAX <= 4_096)
  t.equal(AUDIT_BODY_BYTES_MAX, 16 * 1_380)
})
