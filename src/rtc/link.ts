/** How a link's packets travel now: straight between the two machines, or through a TURN server of either side. */
export interface LinkPath {
  kind: 'direct' | 'relayed'
  /** Where the peer is seen from outside its network, as a STUN server told it and it told us; null: it was not told. */
  outside: { address: string; port: number } | null
}

/** One ordered, reliable channel of whole messages to one peer, as a connection uses it. */
export interface FrameLink {
  /** Not for links that have no network below them. It may change while the link lives. */
  path?(): LinkPath | undefined
  /** Hands over a copy of the frame. False: the channel is gone or refuses it. */
  send(frame: Buffer): boolean
  /** Bytes handed over and not yet sent. */
  bufferedBytes(): number
  /** Called once, before anything arrives is lost. */
  attach(listener: LinkListener): void
  /** Ends at once; `onClosed` is not called any more. */
  close(): void
}

export interface LinkListener {
  /** The message belongs to the listener. */
  onMessage(message: Buffer): void
  /** Buffered bytes fell below the low mark. */
  onDrain(): void
  /** The channel or its connection ended or failed. At most once. */
  onClosed(): void
}

/** Opens links and takes in those that others open. */
export interface Dialer<Peer> {
  /**
   * Resolves to an open link to the verified peer, or rejects with `peer-unreachable` or `fingerprint-mismatch`.
   * A signal that fires ends the attempt; the rejection is then of no interest.
   */
  dial(peer: Peer, signal: AbortSignal): Promise<FrameLink>
  /** What is known of why a dial that is under way does not open; a part of a sentence. */
  obstacle?(peer: Peer): string | undefined
  /** Called once, before anything is dialed. */
  accept(listener: (peer: Peer, link: FrameLink) => void): void
  stop(): Promise<void>
}
