/** Real WebRTC nodes in one process, on loopback, with signaling inside the process and real signatures. */
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { peerId } from '../../src/model/ids.js'
import { makeDescriptionSigner } from '../../src/permits/description.js'
import type { PeerNetworkOptions } from '../../src/rtc/peer-network.js'
import type { DescriptionSigner, DescriptionType } from '../../src/rtc/signaling.js'
import type { FrameTap } from '../../src/rtc/transport.js'
import type { WebRtcOptions } from '../../src/rtc/webrtc-options.js'
import { createWebRtcTransport } from '../../src/rtc/webrtc-transport.js'
import type { TransportNode } from '../suites/transport-suite.js'
import { SignalHub } from './signal-hub.js'

type NodeOptions = PeerNetworkOptions &
  WebRtcOptions & {
    tap?: FrameTap
    /** Falsifies what the node says of its sessions, before it signs. */
    falsify?: (type: DescriptionType, sdp: string) => string
  }

export function webRtcNet() {
  const hub = new SignalHub()
  const nodes: { node: TransportNode; key: SigningKey; disconnect: () => void }[] = []
  const open = (key: SigningKey, options: NodeOptions): TransportNode => {
    const id = peerId(key.id)
    const signaling = hub.connect(id)
    const { tap, falsify, ...rest } = options
    const parts = { self: id, signaling, clock: systemClock, random: systemRandom, log: silentLog, tap }
    const honest = makeDescriptionSigner(key, () => Date.now())
    const signer: DescriptionSigner = {
      sign: (type, session, to, sdp) => honest.sign(type, session, to, falsify?.(type, sdp) ?? sdp),
      verify: (bytes, expected) => honest.verify(bytes, expected),
    }
    const transport = createWebRtcTransport({ ...parts, signer }, { bindAddress: '127.0.0.1', ...rest })
    const node = { id, transport }
    nodes.push({ node, key, disconnect: signaling.disconnect })
    return node
  }
  const known = (node: TransportNode) => {
    const one = nodes.find((one) => one.node === node)
    if (one === undefined) throw new Error('no such node')
    return one
  }
  return {
    hub,
    node: async (options: NodeOptions = {}) => open(SigningKey.random(systemRandom), options),
    again: async (node: TransportNode) => open(known(node).key, {}),
    end: async (node: TransportNode) => {
      known(node).disconnect()
      await node.transport.stop()
    },
    stop: async () => {
      for (const { node, disconnect } of nodes) {
        disconnect()
        await node.transport.stop()
      }
    },
  }
}
