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
import { signWitness, verifyWitness, type Witness } from '../../permits/witness.js'
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
  /** Hash of a record of the chain that this device holds; null for what it does not keep any more. */
  hashAt(sequence: number): Promise<Buffer | null>
  clock: Clock
  log: Log
}

/** How far a host says that the chain had come, and when. */
export interface Witnessed {
  sequence: number
  timeMs: number
}

/** A lie needs all of them to lie (or be gone); each costs one small request. */
const HOSTS_PER_HEAD = 3
const DEADLINE_MS = 5_000
/** At most so many hosts are asked at once by a recovery. */
const ASKED_MAX = 16
/** A burst of epochs leaves two witnesses: of its first and of its last. */
const LEAVE_EVERY_MS = 15_000

export class HeadWitnesses {
  private readonly parts: WitnessParts
  private leftAtMs = Number.NEGATIVE_INFINITY
  private newest: Head | null = null
  private running = false

  constructor(parts: WitnessParts) {
    this.parts = parts
  }

  /** In the background, seldom, and never a failure: a witness more or less is no reason to stop. */
  leaveSoon(head: Head, signal: AbortSignal): void {
    this.newest = head
    if (!this.running) void this.run(signal)
  }

  /** What waits for its turn, at once: nobody will be here when it comes. */
  async leaveLast(signal: AbortSignal): Promise<void> {
    const head = this.newest
    this.newest = null
    if (head !== null) await this.leave(head, signal)
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts
    this.running = true
    try {
      while (this.newest !== null) {
        const restMs = this.leftAtMs + LEAVE_EVERY_MS - clock.monotonicMs()
        if (restMs > 0 && !(await clock.sleep(restMs, signal))) return
        this.leftAtMs = clock.monotonicMs()
        await this.leaveLast(signal)
      }
    } finally {
      this.running = false
    }
  }

  /** Answers how many hosts keep it now. */
  async leave(head: Head, signal: AbortSignal): Promise<number> {
    const hosts = this.parts.peers.connected().slice(-HOSTS_PER_HEAD)
    const outcomes = await Promise.allSettled(hosts.map((host) => this.leaveAt(host, head, signal)))
    return outcomes.filter((one) => one.status === 'fulfilled').length
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
   * the state then, or another past; answers the newest that agrees, null when no host had any.
   */
  async check(state: () => ChainState, hosts: readonly HostId[], signal: AbortSignal): Promise<Witnessed | null> {
    let newest: Witnessed | null = null
    const asked = hosts.slice(0, ASKED_MAX).map(async (host) => {
      const witness = await this.ask(host, signal)
      if (witness === null || !(await this.agrees(state(), witness))) return
      if (newest === null || witness.sequence > newest.sequence)
        newest = { sequence: witness.sequence, timeMs: witness.timeMs }
    })
    for (const outcome of await Promise.allSettled(asked)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
    return newest
  }

  /** False: of a device that this chain does not name. Throws when it tells of another chain. */
  private async agrees(state: ChainState, witness: Witness): Promise<boolean> {
    if (!checkWitness(state, witness)) {
      this.parts.log.warn(
        { sequence: witness.sequence },
        'a host keeps a witness of a device that the chain does not know',
      )
      return false
    }
    const hash = await this.parts.hashAt(witness.sequence)
    if (hash === null || hash.equals(witness.hash)) return true
    throw new AppError(
      'drive-forked',
      `a host keeps another record ${witness.sequence} than the one the bridge shows`,
      {
        details: { sequence: witness.sequence, known: state.head.sequence },
      },
    )
  }

  private async ask(host: HostId, signal: AbortSignal): Promise<Witness | null> {
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
