/** Nodes on the in-memory transport, in real time. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../src/base/clock.js'
import { type PeerId, peerId } from '../../src/model/ids.js'
import { MemoryHub, type MemoryNodeOptions } from '../../src/rtc/memory-transport.js'
import type { TransportNode } from '../suites/transport-suite.js'

export function memoryNet() {
  const hub = new MemoryHub({ clock: systemClock })
  const nodes: TransportNode[] = []
  const open = (id: PeerId, options: MemoryNodeOptions = {}): TransportNode => {
    const node = { id, transport: hub.node(id, options) }
    nodes.push(node)
    return node
  }
  return {
    hub,
    node: async (options: MemoryNodeOptions = {}) => open(peerId(randomBytes(32)), options),
    again: async (node: TransportNode) => open(node.id),
    end: (node: TransportNode) => node.transport.stop(),
    stop: async () => {
      for (const { transport } of nodes) await transport.stop()
    },
  }
}
