/**
 * Audits: the bridge asks a host for leaves of shards that it gave receipts for, the host answers with proofs (docs/format.md
 * section 12). Challenge (bridge-signed), answer (host-signed, names the challenge and the body by their hashes) and body
 * make a **transcript**: whoever has it can verify it without asking anybody, because a shard's id commits to every leaf.
 *
 * Codes: `audit-malformed`, `audit-mismatch`, `audit-signature`, `clock-skew`.
 */
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import { sha256 } from '../crypto/hash.js'
import { leafCountOf, proofBytes, verifyLeaves } from '../crypto/merkle.js'
import { SIGNATURE_BYTES, type SigningKey } from '../crypto/signing-key.js'
import * as ids from '../model/ids.js'
import { LEAF_BYTES, SHARD_BYTES_MAX } from '../model/segment.js'
import { ANSWER_BYTES_MAX, AUDIT_BODY_BYTES_MAX, AUDIT_ITEMS_MAX, CHALLENGE_BYTES_MAX } from '../wire/methods.js'
import { expectHeader, failAs, signatureFits, signed } from './signed-bytes.js'
import { SKEW_MS } from './token.js'

const HASH_BYTES = 32

/** One leaf of one shard, as the host knows both. */
export interface AuditItem {
  pseudonym: ids.Pseudonym
  shard: ids.ShardId
  leaf: number
}

export interface Challenge {
  bridge: ids.BridgeId
  incarnation: number
  host: ids.HostId
  serial: ids.Serial
  issuedAtMs: number
  /** From when the request leaves until the answer is there. */
  deadlineMs: number
  items: AuditItem[]
}

/** unreadable: the host has it, as far as it knows, and cannot read it now. */
export const OUTCOMES = ['proof', 'not-found', 'damaged', 'unreadable'] as const
export type Outcome = (typeof OUTCOMES)[number]

export interface Answer {
  host: ids.HostId
  serial: ids.Serial
  /** Of the whole challenge. */
  challengeHash: Buffer
  answeredAtMs: number
  outcomes: Outcome[]
  bodyHash: Buffer
}

/** What an answer is worth: `proof` has become `proved` or `wrong`. */
export type Finding = 'proved' | 'wrong' | Exclude<Outcome, 'proof'>

export function signChallenge(challenge: Challenge, bridgeKey: SigningKey): Buffer {
  const { bridge, incarnation, host, serial, issuedAtMs, deadlineMs, items } = challenge
  assert(items.length >= 1 && items.length <= AUDIT_ITEMS_MAX, 'items of a challenge')
  const writer = new ByteWriter(CHALLENGE_BYTES_MAX)
    .fixed(Buffer.from('SDAC'), 4)
    .u8(1)
    .u8(items.length)
    .fixed(ids.idBytes(bridge), 32)
    .u32(incarnation)
    .fixed(ids.idBytes(host), 32)
    .fixed(ids.idBytes(serial), 16)
    .u64(issuedAtMs)
    .u32(deadlineMs)
  for (const { pseudonym, shard, leaf } of items) {
    writer.fixed(ids.idBytes(pseudonym), 16).fixed(ids.idBytes(shard), 32).u32(leaf)
  }
  return signed(writer, bridgeKey)
}

/** The fields, unverified. */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  return failAs('audit-malformed', () => {
    const reader = new ByteReader(bytes, 'challenge')
    expectHeader(reader, 'SDAC', 'challenge')
    const count = countOf(reader)
    const challenge: Challenge = {
      bridge: ids.bridgeId(reader.fixed(32)),
      incarnation: reader.u32(),
      host: ids.hostId(reader.fixed(32)),
      serial: ids.serialId(reader.fixed(16)),
      issuedAtMs: reader.u64(),
      deadlineMs: reader.u32(),
      items: Array.from({ length: count }, () => ({
        pseudonym: ids.pseudonymId(reader.fixed(16)),
        shard: ids.shardId(reader.fixed(32)),
        leaf: reader.u32(),
      })),
    }
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    if (challenge.items.some(({ leaf }) => leaf >= SHARD_BYTES_MAX / LEAF_BYTES)) throw reader.malformed('leaf')
    return challenge
  })
}

/** `nowMs`: bridge time, within the tolerance of tokens. */
export function verifyChallenge(
  bytes: Uint8Array,
  expected: { bridge: ids.BridgeId; host: ids.HostId; nowMs: number },
): Challenge {
  const challenge = decodeChallenge(bytes)
  if (challenge.bridge !== expected.bridge) throw new AppError('audit-mismatch', 'the challenge is of another bridge')
  if (challenge.host !== expected.host) throw new AppError('audit-mismatch', 'the challenge is for another host')
  checkSignature(bytes, challenge.bridge)
  if (Math.abs(expected.nowMs - challenge.issuedAtMs) > SKEW_MS) {
    throw new AppError('clock-skew', 'the challenge is of another time', { hint: 'set the clock of this machine' })
  }
  return challenge
}

export function signAnswer(answer: Answer, hostKey: SigningKey): Buffer {
  const { host, serial, challengeHash, answeredAtMs, outcomes, bodyHash } = answer
  const writer = new ByteWriter()
    .fixed(Buffer.from('SDAA'), 4)
    .u8(1)
    .u8(outcomes.length)
    .fixed(ids.idBytes(host), 32)
    .fixed(ids.idBytes(serial), 16)
    .fixed(challengeHash, HASH_BYTES)
    .u64(answeredAtMs)
  for (const outcome of outcomes) writer.u8(OUTCOMES.indexOf(outcome) + 1)
  return signed(writer.fixed(bodyHash, HASH_BYTES), hostKey)
}

/** The fields, unverified. */
export function decodeAnswer(bytes: Uint8Array): Answer {
  return failAs('audit-malformed', () => {
    const reader = new ByteReader(bytes, 'answer')
    expectHeader(reader, 'SDAA', 'answer')
    const count = countOf(reader)
    const answer: Answer = {
      host: ids.hostId(reader.fixed(32)),
      serial: ids.serialId(reader.fixed(16)),
      challengeHash: reader.fixed(HASH_BYTES),
      answeredAtMs: reader.u64(),
      outcomes: Array.from({ length: count }, () => {
        const outcome = OUTCOMES[reader.u8() - 1]
        if (outcome === undefined) throw reader.malformed('unknown outcome')
        return outcome
      }),
      bodyHash: reader.fixed(HASH_BYTES),
    }
    reader.fixed(SIGNATURE_BYTES)
    reader.end()
    return answer
  })
}

/** The host's answer to this very challenge, with this body; what its proofs are worth is for judge. */
export function verifyAnswer(
  bytes: Uint8Array,
  asked: { challenge: Challenge; encoded: Uint8Array; body: Uint8Array },
): Answer {
  const answer = decodeAnswer(bytes)
  const { challenge, encoded, body } = asked
  if (answer.host !== challenge.host) throw new AppError('audit-mismatch', 'the answer is of another host')
  if (answer.serial !== challenge.serial || !answer.challengeHash.equals(sha256(encoded)))
    throw new AppError('audit-mismatch', 'the answer is to another challenge')
  if (answer.outcomes.length !== challenge.items.length)
    throw new AppError('audit-mismatch', 'the answer is to more or fewer leaves')
  if (!answer.bodyHash.equals(sha256(body))) throw new AppError('audit-mismatch', 'the answer is with another body')
  checkSignature(bytes, answer.host)
  return answer
}

/** One proof: length of the shard, the leaf, the hashes of its path (crypto/merkle.ts). */
export function encodeProof(proof: { shardLength: number; leaf: Uint8Array; path: Uint8Array }): Buffer {
  const { shardLength, leaf, path } = proof
  const writer = new ByteWriter(4 + leaf.length + path.length).u32(shardLength)
  return writer.fixed(leaf, leaf.length).fixed(path, path.length).bytes()
}

/** What each leaf came to. A body that its host signed and that cannot be read proves nothing: `wrong`. */
export async function judge(challenge: Challenge, answer: Answer, body: Uint8Array): Promise<Finding[]> {
  const reader = new ByteReader(body, 'proofs')
  const findings: Finding[] = []
  for (const [at, outcome] of answer.outcomes.entries()) {
    const item = challenge.items[at] as AuditItem
    findings.push(outcome === 'proof' ? ((await isProved(item, reader)) ? 'proved' : 'wrong') : outcome)
  }
  // Bytes that nothing asked for belong to no proof: none of them is to be believed.
  return reader.remaining === 0 ? findings : findings.map((one) => (one === 'proved' ? 'wrong' : one))
}

async function isProved({ shard, leaf }: AuditItem, reader: ByteReader): Promise<boolean> {
  if (reader.remaining < 4) return unreadable(reader)
  const shardLength = reader.u32()
  if (shardLength < 1 || shardLength > SHARD_BYTES_MAX || leaf >= leafCountOf(shardLength)) return unreadable(reader)
  const leafBytes = Math.min(LEAF_BYTES, shardLength - leaf * LEAF_BYTES)
  const pathBytes = proofBytes({ shardLength, firstLeaf: leaf, leafCount: 1 })
  if (reader.remaining < leafBytes + pathBytes) return unreadable(reader)
  const [data, proof] = [reader.fixed(leafBytes), reader.fixed(pathBytes)]
  return verifyLeaves({ shardId: ids.idBytes(shard), shardLength, firstLeaf: leaf, data, proof })
}

/** Where the next proof would begin is not known: nothing behind is one. */
function unreadable(reader: ByteReader): false {
  reader.fixed(reader.remaining)
  return false
}

export interface Transcript {
  challenge: Buffer
  /** Empty: there was none that could be used. */
  answer: Buffer
  body: Buffer
}

export function encodeTranscript({ challenge, answer, body }: Transcript): Buffer {
  const writer = new ByteWriter(10 + challenge.length + answer.length + body.length).fixed(Buffer.from('SDAT'), 4).u8(1)
  return writer.blob(challenge).blob(answer).blob(body).bytes()
}

/**
 * What a transcript proves, for anyone: that this bridge asked, what this host answered, and what each leaf came to. Null
 * findings: the host gave no answer that could be used. The challenge's own bridge and host are taken at their word: compare.
 */
export async function verifyTranscript(
  bytes: Uint8Array,
): Promise<{ challenge: Challenge; answer: Answer | null; findings: Finding[] | null }> {
  const { encoded, answered, body } = failAs('audit-malformed', () => {
    const reader = new ByteReader(bytes, 'transcript')
    expectHeader(reader, 'SDAT', 'transcript')
    const parts = {
      encoded: reader.blob(CHALLENGE_BYTES_MAX),
      answered: reader.blob(ANSWER_BYTES_MAX),
      body: reader.blob(AUDIT_BODY_BYTES_MAX),
    }
    reader.end()
    return parts
  })
  const challenge = decodeChallenge(encoded)
  checkSignature(encoded, challenge.bridge)
  if (answered.length === 0) return { challenge, answer: null, findings: null }
  const answer = verifyAnswer(answered, { challenge, encoded, body })
  return { challenge, answer, findings: await judge(challenge, answer, body) }
}

function countOf(reader: ByteReader): number {
  const count = reader.u8()
  if (count < 1 || count > AUDIT_ITEMS_MAX) throw reader.malformed(`${count} leaves`)
  return count
}

function checkSignature(bytes: Uint8Array, signer: string): void {
  if (!signatureFits(bytes, signer)) throw new AppError('audit-signature', 'the signature is not of whom it names')
}
