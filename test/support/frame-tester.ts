/** Speaks frames by hand to a PeerNetwork: the peer that keeps to no rule. */
import { systemClock } from '../../src/base/clock.js'
import { type PeerId, peerId } from '../../src/model/ids.js'
import type { Dialer, FrameLink, LinkListener } from '../../src/rtc/link.js'
import { PeerNetwork, type PeerNetworkOptions } from '../../src/rtc/peer-network.js'
import { FRAME_BYTES_MAX } from '../../src/wire/frame-limits.js'
import { decodeFrame, type Frame, type FrameFields, writeFrame } from '../../src/wire/frames.js'

const EMPTY = Buffer.alloc(0)

export class FrameTester {
  readonly network: PeerNetwork
  readonly peer: PeerId
  /** What the network sent, oldest first. */
  readonly sent: Frame[] = []
  closed = false
  /** Bytes that the channel pretends to have buffered. */
  buffered = 0
  private listener: LinkListener | undefined
  private accept: (peer: PeerId, link: FrameLink) => void = () => {}

  constructor(options: PeerNetworkOptions = {}, peer: PeerId = peerId('cd'.repeat(32))) {
    this.peer = peer
    const dialer: Dialer<PeerId> = {
      dial: async () => this.link(),
      accept: (listener) => {
        this.accept = listener
      },
      stop: async () => {},
    }
    this.network = new PeerNetwork({ dialer, clock: systemClock }, options)
    this.open()
  }

  /** A fresh connection from the peer. */
  open(peer: PeerId = this.peer): void {
    this.closed = false
    this.accept(peer, this.link())
  }

  private link(): FrameLink {
    return {
      send: (frame) => {
        this.sent.push(decodeFrame(Buffer.from(frame)))
        return true
      },
      bufferedBytes: () => this.buffered,
      attach: (listener) => {
        this.listener = listener
      },
      close: () => {
        this.closed = true
      },
    }
  }

  say(fields: Partial<FrameFields> & Pick<FrameFields, 'type'>, head: Buffer = EMPTY, payload: Buffer = EMPTY): void {
    const target = Buffer.alloc(FRAME_BYTES_MAX)
    const whole = { flags: 0, method: 0, id: 0, number: 0, windowKib: 0, ...fields }
    this.sayBytes(target.subarray(0, writeFrame(target, whole, head, payload)))
  }

  sayBytes(bytes: Buffer): void {
    this.listener?.onMessage(bytes)
  }

  drain(): void {
    this.buffered = 0
    this.listener?.onDrain()
  }
}
