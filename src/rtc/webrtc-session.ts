/** One attempt at a connection, either role: gathers, exchanges one description each way, ends in an open link or not. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { FRAME_BYTES_MAX } from '../wire/frame-limits.js'
import { GATHER_MS } from './limits.js'
import type { DataChannel, PeerConnection } from './webrtc-library.js'
import { closeQuietly, WebRtcLink } from './webrtc-link.js'

const LABEL = 'shardrive/1'

export class WebRtcSession {
  private readonly connection: PeerConnection
  private readonly clock: Clock
  private channel: DataChannel | undefined
  private over = false
  private readonly gathered: Promise<void>
  /** Settles once: the open link, or why there is none. */
  readonly link: Promise<WebRtcLink>
  private resolve: (link: WebRtcLink) => void = () => {}
  private reject: (error: AppError) => void = () => {}

  constructor(connection: PeerConnection, clock: Clock) {
    this.connection = connection
    this.clock = clock
    this.link = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Whoever does not wait for the link learns of failures elsewhere.
    this.link.catch(() => {})
    this.gathered = new Promise((resolve) => {
      connection.onGatheringStateChange((state) => state === 'complete' && resolve())
    })
    connection.onStateChange((state) => {
      if (state === 'failed' || state === 'closed' || state === 'disconnected') this.fail(`connection ${state}`)
    })
  }

  /** Our description, all candidates in it. */
  async offer(): Promise<string> {
    const channel = this.connection.createDataChannel(LABEL)
    channel.onOpen(() => this.open(channel))
    return this.localSdp()
  }

  /** `sdp` is clean. Throws `malformed` when the library cannot read it. */
  async answer(sdp: string): Promise<string> {
    this.connection.onDataChannel((channel) => this.open(channel))
    this.takeRemote(sdp, 'offer')
    return this.localSdp()
  }

  takeRemote(sdp: string, type: 'offer' | 'answer'): void {
    try {
      this.connection.setRemoteDescription(sdp, type)
    } catch (cause) {
      throw new AppError('malformed', `the peer's ${type} is not usable`, { cause })
    }
  }

  private async localSdp(): Promise<string> {
    const cut = new AbortController()
    // A STUN server that is silent must not hold everything up: what is gathered by then is sent.
    await Promise.race([this.gathered, this.clock.sleep(GATHER_MS, cut.signal)])
    cut.abort()
    const local = this.over ? null : this.connection.localDescription()
    if (local === null) throw unreachable('the attempt ended while it gathered addresses')
    return local.sdp
  }

  private open(channel: DataChannel): void {
    if (this.over) return
    if (channel.getLabel() !== LABEL || channel.maxMessageSize() < FRAME_BYTES_MAX) {
      this.channel = channel
      this.fail('the peer speaks another protocol')
      return
    }
    this.over = true
    this.resolve(new WebRtcLink(this.connection, channel))
  }

  /** Ends the attempt; a link that was handed out is not touched. */
  end(error: AppError): void {
    if (this.over) return
    this.over = true
    closeQuietly(this.connection, this.channel)
    this.reject(error)
  }

  private fail(why: string): void {
    this.end(unreachable(why))
  }
}

export function unreachable(why: string): AppError {
  return new AppError('peer-unreachable', why, { retry: 'elsewhere' })
}
