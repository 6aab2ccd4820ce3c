/**
 * Makes a liar of a real host: wrap the transport that it serves on, then choose its lie at any time. Everything but
 * the answers to GET stays true, so receipts are real.
 */
import { systemClock } from '../../src/base/clock.js'
import { AppError } from '../../src/base/errors.js'
import type { PeerId, ShardId } from '../../src/model/ids.js'
import { decodeToken } from '../../src/permits/token.js'
import type { IncomingRequest, OutgoingReply, RequestServer, Transport } from '../../src/rtc/transport.js'
import * as wire from '../../src/wire/methods.js'

/**
 * flip-bits: one bit of the leaves. wrong-proof: one bit of the proof, or a hash too many. other-shard: leaves and proof
 * of another shard that the host holds. truncate: the second half of the leaves is missing. silent: no answer, ever.
 * forgetful: says that it does not have the shard. refuse: says that a good token is not signed by the bridge.
 */
export type Lie = 'none' | 'flip-bits' | 'wrong-proof' | 'other-shard' | 'truncate' | 'silent' | 'forgetful' | 'refuse'

export class Liar {
  lie: Lie = 'none'
  /** Lies told so far. */
  told = 0
  /** Before each answer to GET. */
  delayMs = 0
  private readonly shards = new Set<ShardId>()

  /** The transport to start the host with. */
  wrap(transport: Transport): Transport {
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

  /** A handler that lies, for tests without a transport. */
  serverOf(server: RequestServer): RequestServer {
    return (from, request) => this.answer(server, from, request)
  }

  private async answer(server: RequestServer, from: PeerId, request: IncomingRequest): Promise<OutgoingReply> {
    if (request.method === wire.METHOD.put) {
      const target = decodeToken(wire.decodeTokenHead(request.head)).target
      const reply = await server(from, request)
      if (target) this.shards.add(target.shard)
      return reply
    }
    if (request.method === wire.METHOD.get && this.delayMs > 0) await systemClock.sleep(this.delayMs, request.signal)
    if (request.method !== wire.METHOD.get || this.lie === 'none') return server(from, request)
    this.told += 1
    if (this.lie === 'refuse') throw new AppError('token-signature', 'the bridge did not sign this token')
    if (this.lie === 'silent') return silence(request.signal)
    if (this.lie === 'other-shard') return this.answerWithAnother(server, from, request)
    if (this.lie === 'forgetful') return server(from, askedFor(request, '0'.repeat(64) as ShardId))
    return bend(this.lie, await server(from, request))
  }

  private async answerWithAnother(server: RequestServer, from: PeerId, request: IncomingRequest) {
    const asked = wire.decodeGetRequest(request.head).shard
    for (const shard of this.shards) {
      if (shard === asked) continue
      const reply = await server(from, askedFor(request, shard)).catch(() => null)
      if (reply) return reply
    }
    return bend('flip-bits', await server(from, request))
  }
}

function askedFor(request: IncomingRequest, shard: ShardId): IncomingRequest {
  return { ...request, head: wire.encodeGetRequest({ ...wire.decodeGetRequest(request.head), shard }) }
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function bend(lie: Lie, reply: OutgoingReply): OutgoingReply {
  const body = Buffer.from(reply.body ?? Buffer.alloc(0))
  if (lie === 'truncate') return { head: reply.head, body: body.subarray(0, body.length >> 1) }
  if (lie === 'flip-bits') {
    const at = body.length >> 1
    body[at] = (body[at] as number) ^ 0x10
    return { head: reply.head, body }
  }
  const { shardLength, proof } = wire.decodeGetReply(reply.head)
  const bent = proof.length === 0 ? [Buffer.alloc(32)] : proof.map((hash) => Buffer.from(hash))
  const first = bent[0] as Buffer
  first[0] = (first[0] as number) ^ 1
  return { head: wire.encodeGetReply({ shardLength, proof: bent }), body }
}
