/** Hosts that answer audits of what they do not have: signed with their own key, the form right, the leaves made up. */
import { sha256 } from '../../src/crypto/hash.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { LEAF_BYTES } from '../../src/model/segment.js'
import { type AuditItem, decodeAnswer, decodeChallenge, encodeProof, signAnswer } from '../../src/permits/audit.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import type { IncomingRequest, OutgoingReply, RequestGate, RequestServer } from '../../src/rtc/transport.js'
import * as wire from '../../src/wire/methods.js'
import type { Behave, PlanetHost } from './planet-host.js'

const LENGTH_BYTES = 4
const HASH_BYTES = 32

/** Answers audits with garbage where it says so, and reads of the same shards not at all. */
export function forgets(isMissing: (shard: string, host: PlanetHost) => boolean): Behave {
  return (transport, key, host) =>
    serving(transport, (server) => async (from, request) => {
      if (request.method === wire.METHOD.audit) {
        const missing = (item: AuditItem) => isMissing(item.shard, host)
        return forge(request, key, missing, await server(from, request))
      }
      const reply = await server(from, request)
      if (request.method !== wire.METHOD.get || reply.body === undefined) return reply
      const { shard } = wire.decodeGetRequest(request.head)
      return isMissing(shard, host) ? { ...reply, body: Buffer.alloc(reply.body.length) } : reply
    })
}

/** The answer of an honest host, with made-up leaves for what is not there, signed anew. */
function forge(
  request: IncomingRequest,
  key: SigningKey,
  isMissing: (item: AuditItem) => boolean,
  honest: OutgoingReply,
): OutgoingReply {
  const { items } = decodeChallenge(wire.decodeAuditRequest(request.head))
  if (!items.some(isMissing)) return honest
  const answer = decodeAnswer(wire.decodeAuditReply(honest.head))
  const outcomes = items.map((item, at) => (isMissing(item) ? ('proof' as const) : (answer.outcomes[at] ?? 'proof')))
  const lied = bendProofs(Buffer.from(honest.body ?? Buffer.alloc(0)), items, answer.outcomes, isMissing)
  return { head: wire.encodeAuditReply(signAnswer({ ...answer, outcomes, bodyHash: sha256(lied) }, key)), body: lied }
}

/** Every proof of a missing item gets another byte in its leaf; one that the host's store had not either is made up. */
function bendProofs(
  body: Buffer,
  items: readonly AuditItem[],
  outcomes: readonly string[],
  isMissing: (item: AuditItem) => boolean,
): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (const [index, item] of items.entries()) {
    if (outcomes[index] !== 'proof') {
      const leaf = Buffer.alloc(LEAF_BYTES)
      if (isMissing(item)) parts.push(encodeProof({ shardLength: LEAF_BYTES, leaf, path: Buffer.alloc(0) }))
      continue
    }
    const length = proofLength(body, at, item)
    const proof = Buffer.from(body.subarray(at, at + length))
    if (isMissing(item)) proof.writeUInt8(proof.readUInt8(LENGTH_BYTES) ^ 0x55, LENGTH_BYTES)
    parts.push(proof)
    at += length
  }
  return Buffer.concat(parts)
}

function proofLength(body: Buffer, at: number, { leaf }: AuditItem): number {
  const shardLength = body.readUInt32BE(at)
  const leaves = Math.ceil(shardLength / LEAF_BYTES)
  const leafBytes = Math.min(LEAF_BYTES, shardLength - leaf * LEAF_BYTES)
  return LENGTH_BYTES + leafBytes + pathHashes(leaves, leaf) * HASH_BYTES
}

/** Of a tree whose odd nodes are promoted. */
function pathHashes(count: number, at: number): number {
  let hashes = 0
  for (let width = count, index = at; width > 1; width = Math.ceil(width / 2), index >>= 1) {
    if ((index ^ 1) < width) hashes++
  }
  return hashes
}

/** The same part of all shards each time, 0 to 1. */
export function shareOf(shard: string): number {
  return sha256(shard).readUInt32BE(0) / 2 ** 32
}

function serving(transport: PeerNetwork, around: (server: RequestServer) => RequestServer): PeerNetwork {
  return new Proxy(transport, {
    get: (target, name) => {
      if (name === 'serve') {
        return (server: RequestServer, gate?: RequestGate) => target.serve(around(server), gate)
      }
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
