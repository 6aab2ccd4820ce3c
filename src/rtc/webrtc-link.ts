/** A data channel and its connection as a FrameLink. */
import { BUFFERED_LOW_BYTES } from './limits.js'
import type { FrameLink, LinkListener } from './link.js'
import type { DataChannel, PeerConnection } from './webrtc-library.js'

const NOT_BINARY = Buffer.alloc(0)
const ENDED = new Set(['failed', 'closed', 'disconnected'])

export class WebRtcLink implements FrameLink {
  private listener: LinkListener | undefined
  private ended = false
  private readonly connection: PeerConnection
  private readonly channel: DataChannel

  /** The channel is open. Messages wait in the library until `attach`; an end is remembered. */
  constructor(connection: PeerConnection, channel: DataChannel) {
    this.connection = connection
    this.channel = channel
    channel.onClosed(() => this.end())
    channel.onError(() => this.end())
    connection.onStateChange((state) => {
      if (ENDED.has(state)) this.end()
    })
    // One channel a connection.
    connection.onDataChannel(() => this.end())
  }

  send(frame: Buffer): boolean {
    if (this.ended) return false
    try {
      // Copies. The answer tells only whether it left at once.
      this.channel.sendMessageBinary(frame)
      return true
    } catch {
      // Closed by the other side a moment ago, or a peer that announced smaller messages.
      return false
    }
  }

  bufferedBytes(): number {
    return this.ended ? 0 : this.channel.bufferedAmount()
  }

  attach(listener: LinkListener): void {
    this.listener = listener
    if (this.ended) {
      listener.onClosed()
      return
    }
    this.channel.setBufferedAmountLowThreshold(BUFFERED_LOW_BYTES)
    this.channel.onBufferedAmountLow(() => {
      if (!this.ended) listener.onDrain()
    })
    this.channel.onMessage((message) => {
      // Text is no frame: an empty message is refused as one.
      if (!this.ended) listener.onMessage(Buffer.isBuffer(message) ? message : NOT_BINARY)
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
    closeQuietly(this.connection, this.channel)
  }
}

/** Closing what the library has closed itself throws. */
export function closeQuietly(connection: PeerConnection, channel?: DataChannel): void {
  try {
    channel?.close()
  } catch {}
  try {
    connection.close()
  } catch {}
}
