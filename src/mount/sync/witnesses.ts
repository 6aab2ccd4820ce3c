/**
 * Head witnesses: after epochs the device leaves a signed word on a few hosts how far the chain has come; before it believes
 * the bridge's head it asks them. A bridge that went back (or was set back) is found out even by a device without any state.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { SigningKey } from '../../crypto/signing-key.js'
import type { Head } from '../../model/chain.js'
import type { DriveId, HostId } from '../../model/ids.js'
import { checkWitness } from '../../permits/chain-rules.js'
import type { ChainState } from '../../permits/chain-state.js'
import { pseudonymOf } from '../../permits/pseudonym.js'
import { signWitness, verifyWitness } from '../../permits/witness.js'
import {
  decodeEmpty,
  decodeGetWitnessReply,
  encodePutWitnessRequest,
  encodeTokenHead,
  METHOD,
} from '../../wire/methods.js'

export interface WitnessParts {
  drive: DriveId
  device: SigningKey
  peers: {
    request(
      host: HostId,
      request: { method: number; head: Buffer; deadlineMs: number; signal?: AbortSignal },
    ): Promise<{ head: Buffer }>
    connected(): HostId[]
  }
  /** A get token for the host; throws when there is none. */
  token(host: HostId, signal: AbortSignal): Promise<Buffer>
  clock: Clock
  log: Log
}

/** A lie needs all of them to lie (or be gone); each costs one small request. */
const HOSTS_PER_HEAD = 3
const DEADLINE_MS = 5_000
/** At most so many hosts are asked at once by a recovery. */
const ASKED_MAX = 16
/** A burst of epochs leaves one witness. */
const LEAVE_EVERY_MS = 15_000

export class HeadWitnesses {
  private readonly parts: WitnessParts
  private leftAtMs = Number.NEGATIVE_INFINITY
  private leaving = false

  constructor(parts: WitnessParts) {
    this.parts = parts
  }

  /** In the background, seldom, and never a failure: a witness more or less is no reason to stop. */
  leaveSoon(head: Head, signal: AbortSignal): void {
    const nowMs = this.parts.clock.monotonicMs()
    if (this.leaving || nowMs - this.leftAtMs < LEAVE_EVERY_MS) return
    this.leftAtMs = nowMs
    void this.leave(head, signal)
  }

  /** Answers how many hosts keep it now. */
  async leave(head: Head, signal: AbortSignal): Promise<number> {
    this.leaving = true
    try {
      const hosts = this.parts.peers.connected().slice(0, HOSTS_PER_HEAD)
      const outcomes = await Promise.allSettled(hosts.map((host) => this.leaveAt(host, head, signal)))
      return outcomes.filter((one) => one.status === 'fulfilled').length
    } finally {
      this.leaving = false
    }
  }

  private async leaveAt(host: HostId, head: Head, signal: AbortSignal): Promise<void> {
    const { drive, device, peers, clock, token } = this.parts
    const witness = signWitness({ pseudonym: pseudonymOf(drive, host), ...head, timeMs: clock.nowMs() }, device)
    const request = encodePutWitnessRequest({ token: await token(host, signal), witness })
    const reply = await peers.request(host, {
      method: METHOD.putWitness,
      head: request,
      deadlineMs: DEADLINE_MS,
      signal,
    })
    decodeEmpty(reply.head)
  }

  /**
   * Asks hosts for the newest witness of this drive. Throws `drive-rolled-back` or `drive-forked` when one knows more than
   * the state then; answers the newest that agrees, null when no host had any.
   */
  async check(
    state: () => ChainState,
    hosts: readonly HostId[],
    signal: AbortSignal,
  ): Promise<{ sequence: number; timeMs: number } | null> {
    let newest: { sequence: number; timeMs: number } | null = null
    const asked = hosts.slice(0, ASKED_MAX).map(async (host) => {
      const witness = await this.ask(host, signal)
      if (witness === null || !checkWitness(state(), witness)) return
      if (newest === null || witness.sequence > newest.sequence)
        newest = { sequence: witness.sequence, timeMs: witness.timeMs }
    })
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
    return newest
  }

  private async ask(host: HostId, signal: AbortSignal) {
    const { peers, drive, log, token } = this.parts
    try {
      const head = encodeTokenHead(await token(host, signal))
      const reply = await peers.request(host, { method: METHOD.getWitness, head, deadlineMs: DEADLINE_MS, signal })
      const bytes = decodeGetWitnessReply(reply.head)
      return bytes === null ? null : verifyWitness(bytes, { pseudonym: pseudonymOf(drive, host) })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      log.debug({ host, code: error.code }, 'no witness from this host')
      return null
    }
  }
}
