/**
 * Answers audits: leaves with their paths for the pinned bridge, on its own verified connection, and for nobody else. What
 * cannot be proved is said as it is: an honest word about damage costs a quarter of being found out. Small traffic: its own
 * turns, so that no reader's shards stand before it, and a few reads at a time, so that it never stands before theirs.
 */
import { AppError, codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { sha256 } from '../../crypto/hash.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import type { BridgeId, HostId, PeerId } from '../../model/ids.js'
import { type AuditItem, encodeProof, type Outcome, signAnswer, verifyChallenge } from '../../permits/audit.js'
import * as wire from '../../wire/methods.js'
import type { ShardStore } from '../shards/shard-store.js'
import { Turns } from './turns.js'

/** A bridge asks once in 40 minutes; more than one at a time is a bridge that restarted. */
const BURSTS = { runningMax: 2, waitingMax: 8 }
/** Of 64 KiB each: sixteen random reads are 0.2 s on a slow disk, and the disk is others' as well. */
const READS_MAX = 4

export interface AuditDeskParts {
  store: Pick<ShardStore, 'read'>
  key: SigningKey
  host: HostId
  bridge: BridgeId
  /** Bridge time. */
  nowMs: () => number
  log: Log
}

interface Read {
  outcome: Outcome
  proof: Buffer | null
}

export class AuditDesk {
  private readonly parts: AuditDeskParts
  private readonly bursts = new Turns(BURSTS)

  constructor(parts: AuditDeskParts) {
    this.parts = parts
  }

  /** `not-the-bridge`; the codes of permits/audit.ts; `busy`. */
  answer(from: PeerId, head: Buffer, signal: AbortSignal): Promise<{ head: Buffer; body: Buffer }> {
    const { bridge, host, nowMs } = this.parts
    if (from !== bridge) throw new AppError('not-the-bridge', 'audits are for the bridge alone')
    const encoded = wire.decodeAuditRequest(head)
    const challenge = verifyChallenge(encoded, { bridge, host, nowMs: nowMs() })
    return this.bursts.run(signal, async () => {
      const reads = await this.readAll(challenge.items, signal)
      const body = Buffer.concat(reads.map((one) => one.proof).filter((one) => one !== null))
      const answer = signAnswer(
        {
          ...{ host, serial: challenge.serial, challengeHash: sha256(encoded), answeredAtMs: Math.floor(nowMs()) },
          ...{ outcomes: reads.map((one) => one.outcome), bodyHash: sha256(body) },
        },
        this.parts.key,
      )
      return { head: wire.encodeAuditReply(answer), body }
    })
  }

  private async readAll(items: readonly AuditItem[], signal: AbortSignal): Promise<Read[]> {
    const reads = new Array<Read>(items.length)
    let next = 0
    const readNext = async (): Promise<void> => {
      for (let at = next++; at < items.length; at = next++) {
        signal.throwIfAborted()
        reads[at] = await this.read(items[at] as AuditItem)
      }
    }
    await Promise.all(Array.from({ length: Math.min(READS_MAX, items.length) }, readNext))
    return reads
  }

  private async read({ pseudonym, shard, leaf }: AuditItem): Promise<Read> {
    try {
      const { leaves, proof, length } = await this.parts.store.read(pseudonym, shard, leaf, 1)
      return { outcome: 'proof', proof: encodeProof({ shardLength: length, leaf: leaves, path: proof }) }
    } catch (error) {
      const outcome = outcomeOf(error)
      this.parts.log.warn({ shard, code: codeOf(error), outcome }, 'a leaf could not be proved to the bridge')
      return { outcome, proof: null }
    }
  }
}

/** A leaf beyond the end of what lies here: another shard than the bridge has a receipt for. */
function outcomeOf(error: unknown): Outcome {
  const code = codeOf(error)
  if (code === 'shard-not-found' || code === 'malformed') return 'not-found'
  return code === 'shard-damaged' ? 'damaged' : 'unreadable'
}
