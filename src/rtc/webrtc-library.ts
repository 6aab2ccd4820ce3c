/**
 * The only file that loads node-datachannel. It works in exactly one thread of a process, so networks in one process
 * share it; the last that lets go ends its threads. Loaded on first use: it costs 20 ms.
 *
 * What the library needs and does not say: its objects must not be collected as garbage before they have reported
 * their end (a data channel that is leaves a dangling pointer, on which `cleanup` crashes the process), and a callback
 * must not be set twice while another thread may be calling it. So every object is held here from birth to its last
 * report, and every callback is set once.
 */
import type { DataChannel, PeerConnection, RtcConfig } from 'node-datachannel'
import { assert } from '../base/assert.js'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'

export type { RtcConfig }

const held = new Set<PeerConnection | DataChannel>()
let users = 0
/** Ends of connections take a round trip, or are given up by then. */
const CLOSE_MS = 1_000

export interface WebRtcLibrary {
  /** Throws when the library refuses the configuration. */
  open(name: string, config: RtcConfig): RtcConnection
  /** Once for each acquire, when all of its connections are closed. */
  release(clock: Clock): Promise<void>
}

export async function acquireLibrary(log: Log): Promise<WebRtcLibrary> {
  users += 1
  const library = await import('node-datachannel')
  if (users === 1) {
    // Without a callback initLogger throws. What the library calls an error is mostly a peer that went away.
    library.initLogger('Error', (_level, message) => log.debug({ library: 'datachannel' }, message.slice(0, 300)))
  }
  let released = false
  return {
    open: (name, config) => new RtcConnection(new library.PeerConnection(name, config)),
    release: async (clock) => {
      assert(!released, 'the library is released once')
      released = true
      for (let waitedMs = 0; users === 1 && held.size > 0 && waitedMs < CLOSE_MS; waitedMs += 10) await clock.sleep(10)
      users -= 1
      if (users === 0) library.cleanup()
    },
  }
}

/** A PeerConnection with its callbacks set once and forwarded to whoever listens now. */
export class RtcConnection {
  onState: (state: string) => void = () => {}
  onGathered: () => void = () => {}
  onChannel: (channel: RtcChannel) => void = (channel) => channel.close()
  private closed = false
  private readonly connection: PeerConnection

  constructor(connection: PeerConnection) {
    this.connection = connection
    held.add(connection)
    connection.onStateChange((state) => {
      if (state === 'closed') held.delete(connection)
      this.onState(state)
    })
    connection.onGatheringStateChange((state) => {
      if (state === 'complete') this.onGathered()
    })
    connection.onDataChannel((channel) => this.onChannel(new RtcChannel(channel)))
  }

  createChannel(label: string): RtcChannel {
    return new RtcChannel(this.connection.createDataChannel(label))
  }

  /**
   * Without its candidates, which follow apart: a handshake on a fast path that ends before the library has filed the
   * description fails for want of a fingerprint. Throws when the library cannot read it.
   */
  setRemote(sdp: string, type: 'offer' | 'answer'): void {
    this.connection.setRemoteDescription(sdp.replace(/^a=(candidate|end-of-candidates).*\r\n/gm, ''), type)
  }

  /** From here on the peer's addresses are probed. Throws when the connection has failed meanwhile. */
  addCandidates(sdp: string): void {
    for (const candidate of sdp.match(/^a=candidate:.*$/gm) ?? []) {
      this.connection.addRemoteCandidate(candidate.trimEnd(), '0')
    }
  }

  /** The kinds of the two ends that packets go between; undefined before there is a connection and after its end. */
  selectedPair(): { local: { type: string }; remote: { type: string } } | undefined {
    if (this.closed) return undefined
    return this.connection.getSelectedCandidatePair() ?? undefined
  }

  localSdp(): string | undefined {
    return this.connection.localDescription()?.sdp
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.connection.close()
  }
}

/** A DataChannel likewise. Messages wait in the library until `onMessage` is called. */
export class RtcChannel {
  onOpen: () => void = () => {}
  onClosed: () => void = () => {}
  onDrain: () => void = () => {}
  private readonly channel: DataChannel

  constructor(channel: DataChannel) {
    this.channel = channel
    held.add(channel)
    channel.onClosed(() => {
      held.delete(channel)
      this.onClosed()
    })
    channel.onError(() => this.onClosed())
    channel.onOpen(() => this.onOpen())
    channel.onBufferedAmountLow(() => this.onDrain())
  }

  get label(): string {
    return this.channel.getLabel()
  }

  get messageBytesMax(): number {
    return this.channel.maxMessageSize()
  }

  /** Once. Anything but bytes is passed on as undefined. */
  onMessage(listener: (message: Buffer | undefined) => void): void {
    this.channel.onMessage((message) => listener(Buffer.isBuffer(message) ? message : undefined))
  }

  /** Copies. Throws when the channel is closed or the message too large for the peer. */
  send(message: Buffer): void {
    // The answer tells only whether it left at once.
    this.channel.sendMessageBinary(message)
  }

  bufferedBytes(): number {
    return this.channel.bufferedAmount()
  }

  setLowMark(bytes: number): void {
    this.channel.setBufferedAmountLowThreshold(bytes)
  }

  close(): void {
    this.channel.close()
  }
}
