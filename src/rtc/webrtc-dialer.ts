/**
 * Dials and answers over WebRTC. Each side sends one signed description with all its candidates. When both dial at once,
 * the offer of the lower id is the one that counts: the other side answers it and leaves its own open; the lower side
 * keeps the higher one's offer and answers it only if its own attempt fails or is not answered within a second. So one
 * connection comes of it, or the second chance is taken.
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

/** Sessions whose description was seen: a relay that repeats one gets no second connection attempt. */
const SEEN_MAX = 4_096
/** On loopback and with few cores one handshake in a hundred fails by a race inside the library; the next one works. */
const ATTEMPTS_MAX = 3
/** An offer that is not answered by then was probably lost: the peer was just restarted. */
const PARK_MS = 1_000

export class WebRtcDialer implements Dialer<PeerId> {
  private library: Promise<WebRtcLibrary> | undefined
  private readonly dialing = new Map<string, Dialing>()
  private readonly answering = new Map<string, { peer: PeerId; session: WebRtcSession }>()
  private readonly seen = new RecentSet(SEEN_MAX)
  private listener: (peer: PeerId, link: FrameLink) => void = (_, link) => link.close()
  private stopped = false
  private readonly unsubscribe: (() => void)[]
  private readonly parts: WebRtcParts
  private readonly options: WebRtcOptions

  constructor(parts: WebRtcParts, options: WebRtcOptions) {
    this.parts = parts
    this.options = options
    this.unsubscribe = [
      parts.signaling.onSignal((from, session, payload) => void this.onSignal(from, session, payload)),
      parts.signaling.onUnreachable((to, session) => this.onUnreachable(to, session)),
    ]
  }

  accept(listener: (peer: PeerId, link: FrameLink) => void): void {
    this.listener = listener
  }

  async dial(peer: PeerId, signal: AbortSignal): Promise<FrameLink> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.dialOnce(peer, signal)
      } catch (error) {
        if (attempt >= ATTEMPTS_MAX || signal.aborted || !isHandshakeFailure(error)) throw error
      }
    }
  }

  private async dialOnce(peer: PeerId, signal: AbortSignal): Promise<FrameLink> {
    const session = await this.open()
    const id = this.parts.random(16).toString('hex')
    const dialing: Dialing = { peer, session, answered: false, parked: undefined }
    const onAbort = () => session.end(asAppError(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    this.dialing.set(id, dialing)
    try {
      if (signal.aborted) onAbort()
      const sdp = await session.offer()
      this.parts.signaling.send(peer, id, this.parts.signer.sign('offer', id, peer, sdp))
      return await session.link
    } catch (error) {
      session.end(asAppError(error))
      if (!signal.aborted) this.answerParked(dialing)
      throw error
    } finally {
      this.dialing.delete(id)
      signal.removeEventListener('abort', onAbort)
    }
  }

  private async open(): Promise<WebRtcSession> {
    if (this.stopped) throw unreachable('stopped')
    this.library ??= acquireLibrary(this.parts.log)
    const library = await this.library
    if (this.stopped) throw unreachable('stopped')
    return new WebRtcSession(library.open(this.parts.self.slice(0, 8), rtcConfigOf(this.options)), this.parts.clock)
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
    for (const dialing of this.dialing.values()) {
      if (dialing.peer === from && this.parts.self < from) {
        dialing.parked = { id, sdp }
        void this.parts.clock.sleep(PARK_MS).then(() => dialing.answered || this.answerParked(dialing))
        return
      }
    }
    void this.answer(from, id, sdp)
  }

  /** Once. */
  private answerParked(dialing: Dialing): void {
    const { peer, parked } = dialing
    dialing.parked = undefined
    if (parked !== undefined) void this.answer(peer, parked.id, parked.sdp)
  }

  private async answer(peer: PeerId, id: string, sdp: string): Promise<void> {
    if (this.stopped || this.answering.size >= ACCEPTING_MAX) return
    // A peer that offers again has given up its offer before.
    for (const other of [...this.answering.values()]) {
      if (other.peer === peer) other.session.end(unreachable('the peer offered again'))
    }
    const over = new AbortController()
    let session: WebRtcSession | undefined
    try {
      session = await this.open()
      const opened = session
      this.answering.set(id, { peer, session })
      const late = unreachable(`not open within ${DIAL_MS} ms`)
      void this.parts.clock.sleep(DIAL_MS, over.signal).then((slept) => slept && opened.end(late))
      const mine = await session.answer(sdp)
      this.parts.signaling.send(peer, id, this.parts.signer.sign('answer', id, peer, mine))
      this.listener(peer, await session.link)
    } catch (error) {
      const reason = asAppError(error)
      session?.end(reason)
      this.parts.log.debug({ peer, code: reason.code }, `answer came to nothing: ${reason.message}`)
    } finally {
      over.abort()
      this.answering.delete(id)
    }
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    for (const one of this.unsubscribe) one()
    const reason = new AppError('stopped', 'the transport was stopped')
    for (const { session } of [...this.dialing.values(), ...this.answering.values()]) session.end(reason)
    const library = await this.library
    await library?.release(this.parts.clock)
  }
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  return new AppError('peer-unreachable', 'the connection attempt failed', { retry: 'elsewhere', cause: error })
}
