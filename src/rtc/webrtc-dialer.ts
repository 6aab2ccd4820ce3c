/**
 * Dials and answers over WebRTC. Each side sends one signed description with all its candidates.
 *
 * Two peers have one session between them at a time: of two, each side might keep another one and close the one that the
 * other side keeps. So what a side does last counts. Who answers has given up its own offer; who offers has given up what
 * it answered or offered before; a dial waits for the offer of the peer that is being answered, and is over when a
 * connection comes of it. When both offer at once, the offer of the lower id counts: the other side answers it; the lower
 * side keeps the higher one's offer and answers it only if its own attempt fails or is not answered within a second.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { RandomBytes } from '../base/random.js'
import type { PeerId } from '../model/ids.js'
import type { TransportCounters } from './counters.js'
import { ACCEPTING_MAX, DIAL_MS } from './limits.js'
import type { Dialer, FrameLink } from './link.js'
import { RecentSet } from './recent-set.js'
import { cleanSdp } from './sdp.js'
import type { DescriptionSigner, Signaling } from './signaling.js'
import { TurnTunnels } from './turn-tunnel.js'
import { acquireLibrary, type WebRtcLibrary } from './webrtc-library.js'
import { rtcConfigOf, type WebRtcOptions } from './webrtc-options.js'
import { isHandshakeFailure, unreachable, WebRtcSession } from './webrtc-session.js'

export interface WebRtcParts {
  self: PeerId
  signaling: Signaling
  signer: DescriptionSigner
  clock: Clock
  random: RandomBytes
  log: Log
  counters: TransportCounters
}

interface Dialing {
  peer: PeerId
  session: WebRtcSession
  answered: boolean
  /** The peer's own offer, should ours come to nothing. */
  parked: { id: string; sdp: string } | undefined
}

interface Answering {
  peer: PeerId
  stop: AbortController
  over: Promise<void>
}

/** Sessions whose description was seen: a relay that repeats one gets no second connection attempt. */
const SEEN_MAX = 4_096
/** On loopback and a loaded machine one handshake in twenty fails by a race inside the library; the careful next one not. */
const ATTEMPTS_MAX = 3
/** An offer that is not answered by then was probably lost: the peer was just restarted. */
const PARK_MS = 1_000
/** An offer that was answered and led nowhere by then is dead: its peer ended. Far paths take two seconds. */
const ANSWERED_PATIENCE_MS = 3_000

export class WebRtcDialer implements Dialer<PeerId> {
  private library: Promise<WebRtcLibrary> | undefined
  private readonly dialing = new Map<string, Dialing>()
  private readonly answering = new Map<string, Answering>()
  private readonly seen = new RecentSet(SEEN_MAX)
  private listener: (peer: PeerId, link: FrameLink) => void = (_, link) => link.close()
  private stopped = false
  private readonly unsubscribe: (() => void)[]
  private readonly parts: WebRtcParts
  private readonly options: WebRtcOptions
  private readonly tunnels: TurnTunnels

  constructor(parts: WebRtcParts, options: WebRtcOptions) {
    this.parts = parts
    this.options = options
    this.tunnels = new TurnTunnels(parts.clock)
    this.unsubscribe = [
      parts.signaling.onSignal((from, session, payload) => void this.onSignal(from, session, payload)),
      parts.signaling.onUnreachable((to, session) => this.onUnreachable(to, session)),
    ]
  }

  accept(listener: (peer: PeerId, link: FrameLink) => void): void {
    this.listener = listener
  }

  obstacle(peer: PeerId): string | undefined {
    for (const { peer: dialed, session } of this.dialing.values()) if (dialed === peer) return session.obstacle()
    return undefined
  }

  async dial(peer: PeerId, signal: AbortSignal): Promise<FrameLink> {
    const open = await this.opener()
    for (let failures = 0; ; ) {
      await this.whenNoneIsAnswered(peer, signal)
      signal.throwIfAborted()
      try {
        return await this.dialOnce(open, peer, { careful: failures > 0, signal })
      } catch (error) {
        if (signal.aborted) throw error
        // Ours gave way to the peer's offer.
        if (this.answeringOf(peer) !== undefined) continue
        failures += 1
        if (failures >= ATTEMPTS_MAX || !isHandshakeFailure(error)) throw error
      }
    }
  }

  private async dialOnce(
    open: () => WebRtcSession,
    peer: PeerId,
    { careful, signal }: { careful: boolean; signal: AbortSignal },
  ): Promise<FrameLink> {
    const session = open()
    const id = this.parts.random(16).toString('hex')
    const dialing: Dialing = { peer, session, answered: false, parked: undefined }
    const onAbort = () => session.end(asAppError(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    this.dialing.set(id, dialing)
    try {
      const sdp = await session.offer(careful)
      this.parts.signaling.send(peer, id, this.parts.signer.sign('offer', id, peer, sdp))
      return await session.link
    } catch (error) {
      session.end(asAppError(error))
      if (!signal.aborted) this.answerParked(dialing)
      throw error
    } finally {
      this.dialing.delete(id)
      dialing.parked = undefined
      // An answer that comes now is late, not wrong.
      this.seen.add(id)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** A connection that comes of the peer's offer ends the dial by its signal. */
  private async whenNoneIsAnswered(peer: PeerId, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const theirs = this.answeringOf(peer)
      if (theirs === undefined) return
      await Promise.race([theirs.over, this.parts.clock.sleep(ANSWERED_PATIENCE_MS, signal)])
      if (!signal.aborted) theirs.stop.abort(unreachable('the offer led nowhere'))
    }
  }

  private answeringOf(peer: PeerId): Answering | undefined {
    for (const one of this.answering.values()) {
      if (one.peer === peer && !one.stop.signal.aborted) return one
    }
    return undefined
  }

  /** What a session needs first may take time; opening it then takes none. */
  private async opener(): Promise<() => WebRtcSession> {
    const { log, self, clock } = this.parts
    if (this.stopped) throw unreachable('stopped')
    this.library ??= acquireLibrary(log)
    const [library, named] = await Promise.all([this.library, this.options.iceServers?.() ?? []])
    const iceServers = this.options.relayOnly ? await this.tunnels.through(named) : named
    const config = rtcConfigOf(this.options, iceServers)
    return () => {
      if (this.stopped) throw unreachable('stopped')
      return new WebRtcSession(library.open(self.slice(0, 8), config), clock, iceServers.length > 0)
    }
  }

  private onUnreachable(to: PeerId, id: string): void {
    const dialing = this.dialing.get(id)
    if (dialing?.peer === to && !dialing.answered) dialing.session.end(unreachable('the peer is not connected'))
  }

  private async onSignal(from: PeerId, id: string, payload: Buffer): Promise<void> {
    const dialing = this.dialing.get(id)
    const ours = dialing?.peer === from && !dialing.answered
    if (this.stopped || (!ours && this.seen.has(id))) return
    try {
      const { type, sdp } = this.parts.signer.verify(payload, { from, to: this.parts.self, session: id })
      if ((type === 'answer') !== ours) throw new AppError('malformed', `${type} out of turn`)
      const clean = cleanSdp(sdp)
      if (ours) {
        dialing.answered = true
        dialing.parked = undefined
        dialing.session.takeAnswer(clean)
      } else {
        this.seen.add(id)
        this.takeOffer(from, id, clean)
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.parts.counters.descriptionsRefused += 1
      this.parts.log.warn({ peer: from, code: error.code }, `description refused: ${error.message}`)
      if (ours) dialing.session.end(error)
    }
  }

  private takeOffer(from: PeerId, id: string, sdp: string): void {
    for (const own of this.dialing.values()) {
      if (own.peer !== from) continue
      own.parked = { id, sdp }
      // A peer that answers and offers then has given up what it answered.
      if (own.answered || this.parts.self > from) this.giveWay(own)
      else void this.parts.clock.sleep(PARK_MS).then(() => own.answered || this.giveWay(own))
      return
    }
    this.answer(from, id, sdp)
  }

  /** To the parked offer, if there still is one. */
  private giveWay(own: Dialing): void {
    if (this.answerParked(own)) own.session.end(unreachable("gave way to the peer's offer"))
  }

  /** Once. */
  private answerParked(own: Dialing): boolean {
    const { peer, parked } = own
    own.parked = undefined
    return parked !== undefined && this.answer(peer, parked.id, parked.sdp)
  }

  /** False: nothing is answered now. */
  private answer(peer: PeerId, id: string, sdp: string): boolean {
    if (this.stopped || this.answering.size >= ACCEPTING_MAX) return false
    // A peer that offers again has given up its offer before.
    this.answeringOf(peer)?.stop.abort(unreachable('the peer offered again'))
    const stop = new AbortController()
    const over = this.answerOnce(peer, id, sdp, stop).finally(() => this.answering.delete(id))
    this.answering.set(id, { peer, stop, over })
    return true
  }

  private async answerOnce(peer: PeerId, id: string, sdp: string, stop: AbortController): Promise<void> {
    const { signal } = stop
    const { clock, signaling, signer, log } = this.parts
    const over = new AbortController()
    const late = unreachable(`not open within ${DIAL_MS} ms`)
    void clock.sleep(DIAL_MS, over.signal).then((slept) => slept && stop.abort(late))
    let session: WebRtcSession | undefined
    try {
      const open = await this.opener()
      signal.throwIfAborted()
      const opened = open()
      session = opened
      signal.addEventListener('abort', () => opened.end(asAppError(signal.reason)), { once: true })
      const mine = await session.answer(sdp)
      signaling.send(peer, id, signer.sign('answer', id, peer, mine))
      const link = await session.link
      this.listener(peer, link)
    } catch (error) {
      const reason = asAppError(error)
      session?.end(reason)
      log.debug({ peer, code: reason.code }, `answer came to nothing: ${reason.message}`)
    } finally {
      over.abort()
    }
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    for (const one of this.unsubscribe) one()
    const reason = new AppError('stopped', 'the transport was stopped')
    for (const { session } of [...this.dialing.values()]) session.end(reason)
    for (const { stop } of [...this.answering.values()]) stop.abort(reason)
    const library = await this.library
    await library?.release(this.parts.clock)
    await this.tunnels.close()
  }
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  return new AppError('peer-unreachable', 'the connection attempt failed', { retry: 'elsewhere', cause: error })
}
