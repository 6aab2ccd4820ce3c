/** What was seen of a host's network, in words: how it is reached, and what its operator can do about it. Pure. */
import { type Endpoint, endpointText } from '../rtc/stun.js'
import type { DialReply } from '../wire/host-api.js'
import type { Check } from './checks.js'

export type Dialed = DialReply | { reached: false; code: string; kind: null; outside: null }

export interface ReachFacts {
  /** Of host.json. */
  udpPort: number | undefined
  /** The host serves: its port is not ours to look from. */
  isRunning: boolean
  /** Addresses of this machine. */
  own: readonly string[]
  /** How many STUN servers were asked, all of their addresses together. */
  asked: number
  /** Where each that answered saw us. */
  seen: readonly Endpoint[]
  /** Did a packet from a stranger arrive? Null: it could not be tried, and why. */
  knock: { came: boolean | null; why?: string }
  dial: Dialed
  hasTurn: boolean
}

export function adviseReach(facts: ReachFacts): Check[] {
  const udp = udpCheck(facts)
  if (udp.state === 'fail') return [udp]
  return [udp, ...mappingChecks(facts), portCheck(facts), inboundCheck(facts), dialCheck(facts)]
}

function worksAtAll({ seen, knock, dial }: ReachFacts): boolean {
  return seen.length > 0 || knock.came === true || dial.reached
}

function udpCheck(facts: ReachFacts): Check {
  const { asked, seen } = facts
  const name = 'UDP'
  if (!worksAtAll(facts)) {
    const silence = asked === 0 ? 'the bridge names no STUN server' : 'no STUN server answers'
    return {
      name,
      state: 'fail',
      detail: `${silence}, and the bridge cannot reach this host`,
      hint: 'your network blocks UDP: Shardrive cannot serve from here, it is UDP only. Let UDP out (and back in), or lend disk from another network',
    }
  }
  if (seen.length > 0) return { name, state: 'ok', detail: `passes; ${seen.length} of ${asked} STUN addresses answer` }
  const detail = asked === 0 ? 'passes; the bridge names no STUN server' : 'passes, but no STUN server answers'
  return {
    name,
    state: 'warn',
    detail,
    hint: 'ask the operator of the bridge for a STUN server: see docs/operating.md',
  }
}

function mappingChecks({ seen, own, udpPort, isRunning }: ReachFacts): Check[] {
  const [first] = seen
  if (first === undefined) return []
  const isOwn = own.includes(first.address)
  const from = isRunning ? ', from a port beside the running host' : ''
  const publicAddress: Check = {
    name: 'public address',
    state: 'ok',
    detail: `${endpointText(first)}${isOwn ? ', of this machine itself: no NAT' : ', of a router (NAT)'}${from}`,
  }
  if (isOwn) return [publicAddress]
  return [publicAddress, kindCheck(seen, udpPort)]
}

function kindCheck(seen: readonly Endpoint[], udpPort: number | undefined): Check {
  const name = 'NAT'
  const places = [...new Set(seen.map(endpointText))]
  if (places.length > 1) {
    return {
      name,
      state: 'warn',
      detail: `symmetric: another address for each peer (${places.slice(0, 4).join(', ')})`,
      hint: `${forward(udpPort)}. Until then drives behind strict routers reach this host through a relay only, and slower`,
    }
  }
  if (seen.length === 1) {
    return {
      name,
      state: 'warn',
      detail: 'its kind cannot be told: only one STUN address answers',
      hint: 'ask the operator of the bridge for a second STUN server, or one with two addresses (RFC 5780)',
    }
  }
  return { name, state: 'ok', detail: 'one address for all peers (endpoint-independent)' }
}

function portCheck({ udpPort, seen, isRunning, dial }: ReachFacts): Check {
  const name = 'UDP port'
  if (udpPort === undefined) {
    const detail = 'none is fixed: a router cannot forward it'
    return { name, state: 'warn', detail, hint: 'set "udpPort": 7411 in host.json, and forward that port' }
  }
  // A running host has asked itself, from its port.
  const found = isRunning ? dial.outside?.port : seen[0]?.port
  if (found === undefined) {
    const detail = `${udpPort}; what becomes of it outside cannot be told${isRunning ? ' while the host runs' : ''}`
    return { name, state: 'ok', detail }
  }
  if (found === udpPort) return { name, state: 'ok', detail: `${udpPort}, and so outside` }
  return { name, state: 'warn', detail: `${udpPort}, but ${found} outside`, hint: forward(udpPort) }
}

function inboundCheck({ knock, seen, own, udpPort }: ReachFacts): Check {
  const name = 'from outside'
  if (knock.came === true) return { name, state: 'ok', detail: 'packets of strangers arrive: every drive can connect' }
  if (knock.came === null) return { name, state: 'ok', detail: `not tried: ${knock.why ?? 'the bridge cannot'}` }
  const isOwn = seen[0] !== undefined && own.includes(seen[0].address)
  const detail = 'packets of strangers do not arrive: connections begin from both sides at once'
  if (!isOwn) return { name, state: 'warn', detail, hint: forward(udpPort) }
  const port = udpPort === undefined ? 'UDP' : `UDP port ${udpPort}`
  return { name, state: 'warn', detail, hint: `a firewall drops them: let ${port} in on this machine` }
}

function dialCheck({ dial, hasTurn }: ReachFacts): Check {
  const name = 'connection'
  if (dial.reached) {
    const where = dial.outside === null ? '' : `, at ${endpointText(dial.outside)}`
    if (dial.kind !== 'relayed') {
      return { name, state: 'ok', detail: `the bridge connects directly in ${dial.tookMs} ms${where}` }
    }
    const hint = 'every byte takes the way through the relay: forward the UDP port on your router'
    return { name, state: 'warn', detail: `the bridge connects through a relay${where}`, hint }
  }
  const relay = hasTurn ? '' : '; without a forwarded port, the bridge needs a TURN server: ask its operator'
  return {
    name,
    state: 'fail',
    detail: `the bridge cannot connect to this host [${dial.code ?? 'offline'}]`,
    hint: `look at the lines above${relay}`,
  }
}

function forward(udpPort: number | undefined): string {
  return udpPort === undefined
    ? 'set "udpPort": 7411 in host.json and forward UDP port 7411 on your router to this machine'
    : `forward UDP port ${udpPort} on your router to this machine`
}
