/** A data channel and its connection as a FrameLink. */
import { BUFFERED_LOW_BYTES } from './limits.js'
import type { FrameLink, LinkListener, LinkPath } from './link.js'
import type { RtcChannel, RtcConnection } from './webrtc-library.js'

const NOT_BINARY = Buffer.alloc(0)

/** The library recovers from none of these by itself. */
export function isEnded(state: string): boolean {
  return state === 'failed' || state === 'closed' || state === 'disconnected'
}

export class WebRtcLink implements FrameLink {
  private listener: LinkListener | undefined
  private ended = false
  private readonly connection: RtcConnection
  private readonly channel: RtcChannel
  private readonly outside: LinkPath['outside']

  /** The channel is open. Messages wait in the library until `attach`; an end is remembered. */
  constructor(connection: RtcConnection, channel: RtcChannel, outside: LinkPath['outside'] = null) {
    this.connection = connection
    this.outside = outside
    this.channel = channel
    channel.setLowMark(BUFFERED_LOW_BYTES)
    channel.onClosed = () => this.end()
    connection.onState = (state) => {
      if (isEnded(state)) this.end()
    }
    // One channel a connection: a peer that opens more wants something else.
    connection.onChannel = (other) => {
      other.close()
      this.end()
    }
  }

  send(frame: Buffer): boolean {
    if (this.ended) return false
    try {
      this.channel.send(frame)
      return true
    } catch {
      // Closed by the other side a moment ago.
      return false
    }
  }

  path(): LinkPath | undefined {
    const pair = this.ended ? undefined : this.connection.selectedPair()
    if (pair === undefined) return undefined
    // The library's word for the remote side is one of the candidates that the peer described. When the peer's first packet came
    // before its description, it may be another of them than the one in use (libjuice 1.7: a pair keeps its place in a list that is
    // written anew): so an offerer may count a relay of the peer's own as direct. Nothing else of it is used.
    const isRelayed = pair.remote.type === 'relay' || pair.local.type === 'relay'
    return { kind: isRelayed ? 'relayed' : 'direct', outside: this.outside }
  }

  bufferedBytes(): number {
    return this.ended ? 0 : this.channel.bufferedBytes()
  }

  attach(listener: LinkListener): void {
    this.listener = listener
    if (this.ended) {
      listener.onClosed()
      return
    }
    this.channel.onDrain = () => {
      if (!this.ended) listener.onDrain()
    }
    this.channel.onMessage((message) => {
      // Text is no frame: an empty message is refused as one.
      if (!this.ended) listener.onMessage(message ?? NOT_BINARY)
    })
  }

  private end(): void {
    if (this.ended) return
    this.close()
    this.listener?.onClosed()
  }

  close(): void {
    if (this.ended) return
    this.ended = true
    this.channel.close()
    this.connection.close()
  }
}
