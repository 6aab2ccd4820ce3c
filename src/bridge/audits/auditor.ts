/**
 * One burst with one host: draws leaves, knocks, asks under one deadline, and writes down what came of it. One signature, one
 * verification, one transaction. What was found to be missing is only held here: closing.ts decides at the end of the round.
 */
import type { Clock } from '../../base/clock.js'
import { AppError, codeOf } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { RandomBytes } from '../../base/random.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import { bridgeId, serialId } from '../../model/ids.js'
import { type Challenge, encodeTranscript, judge, signChallenge, verifyAnswer } from '../../permits/audit.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import type { Transport } from '../../rtc/transport.js'
import * as wire from '../../wire/methods.js'
import type { KnownHost } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'
import type { Standings } from '../reputation/standings.js'
import { drawLeaves } from './draw.js'
import { type Asked, type Burst, type BurstResult, recordOf, settle } from './outcome.js'
import { AUDIT_DEADLINE_MS, REACH_MS } from './times.js'
import { verdictOfError, verdictOfReach } from './verdicts.js'

export interface AuditorParts {
  store: Store
  standings: Standings
  transport: Transport
  key: SigningKey
  incarnation: () => number
  clock: Clock
  random: RandomBytes
  lot: () => number
  log: Log
}

export class Auditor {
  private readonly parts: AuditorParts

  constructor(parts: AuditorParts) {
    this.parts = parts
  }

  /** What came of it; null when the host holds nothing. */
  async burst(host: KnownHost, signal: AbortSignal): Promise<BurstResult | null> {
    const { store, standings, clock } = this.parts
    const { shards } = await store.standings.holding(host.row)
    if (shards === 0) {
      if (host.state !== 'good') await standings.review(host, 0)
      return null
    }
    const asked = host.online ? await drawLeaves(this.parts, host.row, shards, clock.nowMs()) : []
    if (host.online && asked.length === 0) return null
    const result = host.online ? await this.ask(host, asked, signal) : { verdict: 'offline' as const }
    if (signal.aborted) return null
    failpoint('bridge.audit.asked')
    const burst: Burst = { hostRow: host.row, nowMs: clock.nowMs(), asked, result }
    const record = recordOf(burst)
    let settled = standings.of(host.row)
    await store.audits.saveBurst(record, (success) => {
      settled = settle(standings.of(host.row), burst, success, record.held.length > 0)
      return settled
    })
    standings.keep(host.row, settled)
    await standings.review(host, shards)
    return result
  }

  private async ask(host: KnownHost, asked: readonly Asked[], signal: AbortSignal): Promise<BurstResult> {
    const absent = await this.knock(host, signal)
    if (absent !== null) return { verdict: absent }
    const challenge = this.challenge(host, asked)
    const encoded = signChallenge(challenge, this.parts.key)
    const startMs = this.parts.clock.monotonicMs()
    try {
      const { head, body } = await this.parts.transport.request(host.host, {
        method: wire.METHOD.audit,
        head: wire.encodeAuditRequest(encoded),
        deadlineMs: AUDIT_DEADLINE_MS,
        replyBytesMax: wire.AUDIT_BODY_BYTES_MAX,
        signal,
      })
      const answerMs = this.parts.clock.monotonicMs() - startMs
      const answer = wire.decodeAuditReply(head)
      const findings = await judge(challenge, verifyAnswer(answer, { challenge, encoded, body }), body)
      const transcript = () => encodeTranscript({ challenge: encoded, answer, body })
      return { verdict: 'answered', findings, answerMs, transcript }
    } catch (error) {
      const verdict = verdictOfError(error)
      this.parts.log.info({ host: host.host, code: codeOf(error), verdict }, 'an audit came to no answer')
      if (!(error instanceof AppError)) this.parts.log.error({ err: error }, 'an audit failed')
      const empty = Buffer.alloc(0)
      return { verdict, transcript: () => encodeTranscript({ challenge: encoded, answer: empty, body: empty }) }
    }
  }

  /** So that the deadline of a challenge is not spent on dialing, and no answer means no answer. */
  private async knock(host: KnownHost, signal: AbortSignal) {
    const ping = { method: wire.METHOD.ping, head: wire.encodeEmpty(), deadlineMs: REACH_MS, signal }
    return this.parts.transport.request(host.host, ping).then(() => null, verdictOfReach)
  }

  private challenge(host: KnownHost, asked: readonly Asked[]): Challenge {
    const { key, incarnation, clock, random } = this.parts
    const items = asked.map(({ drive, shard, leaf }) => ({ pseudonym: pseudonymOf(drive, host.host), shard, leaf }))
    const when = { issuedAtMs: Math.round(clock.nowMs()), deadlineMs: AUDIT_DEADLINE_MS }
    const serial = serialId(random(16))
    return { bridge: bridgeId(key.id), incarnation: incarnation(), host: host.host, serial, ...when, items }
  }
}
