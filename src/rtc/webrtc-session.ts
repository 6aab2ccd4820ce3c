/**
 * One attempt at a connection, either role: gathers, exchanges one description each way, ends in an open link or not.
 *
 * There are two ways, and the offer says which by its setup attribute. The fast one (`active`): the answerer probes the
 * offerer's addresses at once, so it is ready before its answer arrives, and the offerer starts the DTLS handshake. The
 * other way round (the library's) the first flight comes before we listen in most dials through a real relay, and is
 * repeated only after a second. Its price: all is under way at the moment when the library reads the answer, and where
 * the path is faster than the processor (one machine, loaded) the handshake may be over before the library has filed the
 * answer's fingerprint; then it fails. The careful one (`actpass`), for the attempt after such a failure: the answerer
 * waits to be probed by the offerer, which does so when it has filed the answer, and starts the handshake itself. It
 * takes 50 ms longer, and more where the answerer must send first to be reached.
 */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { FRAME_BYTES_MAX } from '../wire/frame-limits.js'
import { GATHER_MS } from './limits.js'
import { reflexiveOf } from './sdp.js'
import type { RtcChannel, RtcConnection } from './webrtc-library.js'
import { isEnded, WebRtcLink } from './webrtc-link.js'

const LABEL = 'shardrive/1'
/** The answerer of a careful offer probes by itself after so long: above the way of an answer through a relay. */
const PROBE_AFTER_MS = 500

export class WebRtcSession {
  private readonly connection: RtcConnection
  private readonly clock: Clock
  private readonly asksServers: boolean
  private ours: string | undefined
  private theirs: string | undefined
  private channel: RtcChannel | undefined
  private over = false
  private readonly gathered: Promise<void>
  /** Settles once: the open link, or why there is none. */
  readonly link: Promise<WebRtcLink>
  private resolve: (link: WebRtcLink) => void = () => {}
  private reject: (error: AppError) => void = () => {}

  /** `asksServers`: STUN or TURN servers were named to the connection. */
  constructor(connection: RtcConnection, clock: Clock, asksServers = false) {
    this.connection = connection
    this.clock = clock
    this.asksServers = asksServers
    this.link = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Whoever does not wait for the link learns of failures elsewhere.
    this.link.catch(() => {})
    this.gathered = new Promise((resolve) => {
      connection.onGathered = resolve
    })
    connection.onState = (state) => {
      if (isEnded(state)) this.end(handshakeFailed(`connection ${[state, this.obstacle() ?? []].flat().join(': ')}`))
    }
  }

  /** Our description, all candidates in it. */
  async offer(careful: boolean): Promise<string> {
    const channel = this.connection.createChannel(LABEL)
    this.channel = channel
    channel.onOpen = () => this.open(channel)
    const sdp = await this.localSdp()
    this.ours = sdp
    return careful ? sdp : sdp.replace('a=setup:actpass', 'a=setup:active')
  }

  /** `sdp` is clean. Throws `malformed` when the library cannot read it. */
  async answer(sdp: string): Promise<string> {
    this.theirs = sdp
    this.connection.onChannel = (channel) => this.open(channel)
    try {
      this.connection.setRemote(sdp, 'offer')
    } catch (cause) {
      throw new AppError('malformed', "the peer's offer is not usable", { cause })
    }
    if (sdp.includes('a=setup:actpass')) void this.clock.sleep(PROBE_AFTER_MS).then(() => this.probe(sdp))
    else this.probe(sdp)
    return this.localSdp()
  }

  private probe(sdp: string): void {
    if (this.over) return
    try {
      this.connection.addCandidates(sdp)
    } catch (cause) {
      this.end(handshakeFailed("the peer's addresses are not usable", cause))
    }
  }

  /** `sdp` is clean. */
  takeAnswer(sdp: string): void {
    this.theirs = sdp
    try {
      this.connection.setRemote(sdp, 'answer')
      this.connection.addCandidates(sdp)
    } catch (cause) {
      this.end(handshakeFailed("the peer's answer is not usable", cause))
    }
  }

  /** Why an offer does not lead to a connection, as far as the two descriptions tell. */
  obstacle(): string | undefined {
    if (this.ours === undefined) return undefined
    if (this.asksServers && !isOpenToOthers(this.ours)) {
      return 'no STUN or TURN server answers here: this network may block UDP'
    }
    if (this.theirs === undefined) return 'the peer did not answer'
    if (this.asksServers && !isOpenToOthers(this.theirs)) {
      return 'the peer is reached by no STUN or TURN server: its network may block UDP'
    }
    const relays = [this.ours, this.theirs].some((sdp) => sdp.includes(' typ relay'))
    return relays ? undefined : 'no TURN server relays between the two networks'
  }

  private async localSdp(): Promise<string> {
    const cut = new AbortController()
    // A STUN server that is silent must not hold everything up: what is gathered by then is sent.
    try {
      // `link`: an attempt that was ended does not wait any more.
      await Promise.race([this.gathered, this.link, this.clock.sleep(GATHER_MS, cut.signal)])
    } finally {
      cut.abort()
    }
    const sdp = this.over ? undefined : this.connection.localSdp()
    if (sdp === undefined) throw unreachable('the attempt ended while it gathered addresses')
    return sdp
  }

  private open(channel: RtcChannel): void {
    if (this.over) {
      channel.close()
      return
    }
    this.channel = channel
    if (channel.label !== LABEL || channel.messageBytesMax < FRAME_BYTES_MAX) {
      this.end(unreachable('the peer speaks another protocol'))
      return
    }
    this.over = true
    this.resolve(new WebRtcLink(this.connection, channel, reflexiveOf(this.theirs ?? '')))
  }

  /** Ends the attempt; a link that was handed out is not touched. */
  end(error: AppError): void {
    if (this.over) return
    this.over = true
    this.channel?.close()
    this.connection.close()
    this.reject(error)
  }
}

export function unreachable(why: string, cause?: unknown): AppError {
  return new AppError('peer-unreachable', why, { retry: 'elsewhere', cause })
}

/** Both sides spoke, and it came to nothing: worth another attempt at once. */
function handshakeFailed(why: string, cause?: unknown): AppError {
  return new AppError('peer-unreachable', why, { retry: 'elsewhere', cause, details: { handshake: true } })
}

export function isHandshakeFailure(error: unknown): boolean {
  return error instanceof AppError && error.details?.handshake === true
}

/** It learnt an address of itself from outside its own network. */
function isOpenToOthers(sdp: string): boolean {
  return / typ (srflx|relay)/.test(sdp)
}
