/** Signaling inside one process, with hooks for what a relay may do to messages. As fast as a relay nearby. */
import type { PeerId } from '../../src/model/ids.js'
import type { Signaling } from '../../src/rtc/signaling.js'

type OnSignal = (from: PeerId, session: string, payload: Buffer) => void
type OnUnreachable = (to: PeerId, session: string) => void

interface Member {
  signals: Set<OnSignal>
  unreachables: Set<OnUnreachable>
}

export class SignalHub {
  private readonly members = new Map<PeerId, Member>()
  /** Returns what is delivered, or null for nothing; a promise delays it. */
  alter: ((from: PeerId, to: PeerId, payload: Buffer) => Buffer | null | Promise<Buffer>) | undefined
  delivered = 0

  /** Connects `id`; a second connection under the same id takes its place. */
  connect(id: PeerId): Signaling & { disconnect(): void } {
    const member: Member = { signals: new Set(), unreachables: new Set() }
    this.members.set(id, member)
    return {
      send: (to, session, payload) =>
        void setTimeout(() => void this.deliver(id, member, to, session, Buffer.from(payload)), 2),
      onSignal: (listener) => {
        member.signals.add(listener)
        return () => void member.signals.delete(listener)
      },
      onUnreachable: (listener) => {
        member.unreachables.add(listener)
        return () => void member.unreachables.delete(listener)
      },
      disconnect: () => {
        if (this.members.get(id) === member) this.members.delete(id)
      },
    }
  }

  private async deliver(from: PeerId, sender: Member, to: PeerId, session: string, payload: Buffer): Promise<void> {
    const target = this.members.get(to)
    if (target === undefined) {
      for (const listener of sender.unreachables) listener(to, session)
      return
    }
    const arrives = this.alter === undefined ? payload : await this.alter(from, to, payload)
    if (arrives === null) return
    this.delivered += 1
    for (const listener of target.signals) listener(from, session, arrives)
  }
}
