/** The bridge as a peer of its own hub: what its transport needs to reach hosts for completion and repair. */
import type { BridgeId, PeerId } from '../../model/ids.js'
import type { Signaling } from '../../rtc/signaling.js'
import type { BridgeMessage } from '../../wire/socket.js'
import type { Hub, HubPeer } from './hub.js'

type OnSignal = Parameters<Signaling['onSignal']>[0]
type OnUnreachable = Parameters<Signaling['onUnreachable']>[0]

/** Attaches once; the bridge stays reachable until the hub ends. */
export function attachSelf(hub: Hub, bridge: BridgeId): Signaling {
  const onSignal = new Set<OnSignal>()
  const onUnreachable = new Set<OnUnreachable>()
  const deliver = (message: BridgeMessage) => {
    if (message.type === 'signal' && message.from !== undefined) {
      const payload = Buffer.from(message.payload, 'base64')
      for (const listener of onSignal) listener(message.from as PeerId, message.session, payload)
    } else if (message.type === 'unreachable') {
      for (const listener of onUnreachable) listener(message.to as PeerId, message.session)
    }
  }
  // Delivered in a turn of its own, as over a network: no listener runs inside the call of another.
  const self: HubPeer = {
    key: bridge,
    role: 'bridge',
    send: (message) => void setImmediate(deliver, message),
    end: () => {},
  }
  hub.attach(self)
  return {
    send: (to, session, payload) =>
      hub.relay(self, { type: 'signal', to, session, payload: payload.toString('base64') }),
    onSignal: (listener) => subscribe(onSignal, listener),
    onUnreachable: (listener) => subscribe(onUnreachable, listener),
  }
}

function subscribe<T>(set: Set<T>, listener: T): () => void {
  set.add(listener)
  return () => set.delete(listener)
}
