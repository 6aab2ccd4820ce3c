/** What every transport promises (src/rtc/transport.ts). Run against the in-memory transport and against WebRTC. */
import t, { type Test } from 'tap'
import type { PeerId } from '../../src/model/ids.js'
import type { PeerNetwork, PeerNetworkOptions } from '../../src/rtc/peer-network.js'
import type { FrameTap } from '../../src/rtc/transport.js'

// Deadlines are real time: a loaded machine takes its time.
t.setTimeout(110_000)

export interface TransportNode {
  id: PeerId
  transport: PeerNetwork
}

export interface TransportFixture {
  node(options?: PeerNetworkOptions & { tap?: FrameTap; seed?: number }): Promise<TransportNode>
  /** A new process of a stopped node: the same identity. */
  again(node: TransportNode): Promise<TransportNode>
  /** The node's process ends, and whoever carries signals to it knows. */
  end(node: TransportNode): Promise<void>
  stop(): Promise<void>
}

export interface TransportKind {
  name: string
  open(): Promise<TransportFixture>
}

export type TransportCase = (t: Test, fixture: TransportFixture) => Promise<void>

/** Each case gets a fixture of its own. Timers of the transport never keep a process alive; tests must. */
export function runTransportCases(kind: TransportKind, cases: Record<string, TransportCase>): void {
  for (const [name, run] of Object.entries(cases)) {
    t.test(`${kind.name}: ${name}`, async (t) => {
      const alive = setInterval(() => {}, 1_000)
      const fixture = await kind.open()
      try {
        await run(t, fixture)
      } finally {
        await fixture.stop()
        clearInterval(alive)
      }
    })
  }
}

/** Answers with the same head and body. */
export function serveEcho(node: TransportNode): void {
  node.transport.serve(async (_from, { head, body }) => ({ head, body }))
}

export const ECHO = { method: 3, head: Buffer.from('echo'), deadlineMs: 20_000, replyBytesMax: 2_097_152 }

export const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms))

export async function until(condition: () => boolean, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > end) return false
    await pause(5)
  }
  return true
}
