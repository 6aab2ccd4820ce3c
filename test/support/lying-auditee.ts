/** Makes a liar of a real host when it is audited: everything else that it answers stays true. */
import { sha256 } from '../../src/crypto/hash.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import type { PeerId } from '../../src/model/ids.js'
import { decodeAnswer, decodeChallenge, signAnswer } from '../../src/permits/audit.js'
import type { IncomingRequest, OutgoingReply, RequestServer, Transport } from '../../src/rtc/transport.js'
import { METHOD } from '../../src/wire/methods.js'
import { keyOf } from './named.js'

/**
 * wrong-leaf: a bit of a leaf is another, signed. other-shard: the proof of another shard of its own, signed. replayed: its
 * first answer again. other-key: true, signed by somebody else. garbage: a body that is none, signed. huge: more than
 * anybody asked for. silent: no answer. forgetful: it says that it has nothing, signed.
 */
export type AuditLie =
  | 'none'
  | 'wrong-leaf'
  | 'other-shard'
  | 'replayed'
  | 'other-key'
  | 'garbage'
  | 'huge'
  | 'silent'
  | 'forgetful'

export class LyingAuditee {
  lie: AuditLie = 'none'
  key: SigningKey = keyOf('nobody')
  told = 0
  private first: OutgoingReply | null = null

  wrap<T extends Transport>(transport: T): T {
    return new Proxy(transport, {
      get: (target, name) => {
        if (name === 'serve') {
          return (server: RequestServer, gate?: Parameters<Transport['serve']>[1]) =>
            target.serve((from, request) => this.answer(server, from, request), gate)
        }
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  private async answer(server: RequestServer, from: PeerId, request: IncomingRequest): Promise<OutgoingReply> {
    if (request.method !== METHOD.audit) return server(from, request)
    if (this.lie === 'none') {
      const reply = await server(from, request)
      this.first ??= reply
      return reply
    }
    this.told++
    if (this.lie === 'silent') return silence(request.signal)
    if (this.lie === 'replayed' && this.first !== null) return this.first
    return this.bend(request, await server(from, request))
  }

  private bend(request: IncomingRequest, { head, body = Buffer.alloc(0) }: OutgoingReply): OutgoingReply {
    const sign = (changed: Buffer, outcomes = decodeAnswer(head).outcomes, key = this.key) => {
      const answer = { ...decodeAnswer(head), outcomes, bodyHash: sha256(changed) }
      return { head: signAnswer(answer, key), body: changed }
    }
    if (this.lie === 'wrong-leaf') {
      const changed = Buffer.from(body)
      changed.writeUInt8(changed.readUInt8(500) ^ 1, 500)
      return sign(changed)
    }
    if (this.lie === 'other-shard') {
      // All proofs are of shards of one length: they turn by one.
      const size = body.length / decodeChallenge(request.head).items.length
      return sign(Buffer.concat([body.subarray(size), body.subarray(0, size)]))
    }
    if (this.lie === 'garbage') return sign(Buffer.alloc(200, 7))
    if (this.lie === 'forgetful')
      return sign(
        Buffer.alloc(0),
        decodeAnswer(head).outcomes.map(() => 'not-found'),
      )
    if (this.lie === 'huge') return { head, body: Buffer.alloc(200_000, 1) }
    return sign(body, undefined, keyOf('somebody else'))
  }
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
