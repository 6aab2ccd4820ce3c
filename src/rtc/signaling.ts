/**
 * What rtc needs from the outside to open a connection. `app/` connects: the bridge's WebSocket carries signals, and
 * permits signs and verifies descriptions (docs/protocol.md section 3).
 */
import type { PeerId } from '../model/ids.js'

/** Carries small opaque messages between peers that have no connection yet. May lose, repeat and reorder them. */
export interface Signaling {
  /** `session`: 16 bytes as lower-case hex. Never throws; a message that cannot be sent is lost. */
  send(to: PeerId, session: string, payload: Buffer): void
  /** `from` is what the relay says; it is believed only after the signature fits. Returns the unsubscriber. */
  onSignal(listener: (from: PeerId, session: string, payload: Buffer) => void): () => void
  /** The relay does not know `to`, or the relay itself is out of reach. Returns the unsubscriber. */
  onUnreachable(listener: (to: PeerId, session: string) => void): () => void
}

export type DescriptionType = 'offer' | 'answer'

export interface DescriptionSigner {
  /** A signed description (magic SDSD) from this process's identity. */
  sign(type: DescriptionType, session: string, to: PeerId, sdp: string): Buffer
  /**
   * Checks a received description: signed by `expected.from`, meant for `expected.to`, of this session, of this time.
   * Throws AppError: `fingerprint-mismatch`, `malformed`, `clock-skew` ...
   */
  verify(bytes: Buffer, expected: { from: PeerId; to: PeerId; session: string }): { type: DescriptionType; sdp: string }
}
