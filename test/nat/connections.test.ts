/**
 * Who reaches whom, and how: devices and hosts behind every kind of router, through the real stack. The table that it prints
 * stands in docs/operating.md.
 */
import t from 'tap'
import type { Reached } from '../support/nat-device-child.js'
import { HOST_UDP_PORT, type NatHost, NatLab } from '../support/nat-lab.js'
import { NAT_KINDS, type NatKind, NatNetwork, PUBLIC, type Site } from '../support/nat-network.js'

t.setTimeout(200_000)
/** A dial (10 s) and the time that a request then takes; a busy machine gets twice that. */
const IMPOSSIBLE_MS_MAX = 30_000

const missing = NatNetwork.missing()
if (missing !== undefined) {
  console.error(`NAT lab skipped: ${missing}`)
  t.test('who reaches whom', { skip: `no NAT lab here: ${missing}` }, async () => {})
} else {
  await runLab()
}

type Found = Map<NatKind, Map<NatKind, Reached>>

/** Through which way a pair must come together. */
function expected(device: NatKind, host: NatKind): Reached['kind'] {
  if (device === 'blocked' || host === 'blocked') return 'impossible'
  const pair = [device, host]
  const isRelayed =
    pair.includes('symmetric') && pair.every((kind) => kind === 'symmetric' || kind === 'port-restricted')
  return isRelayed ? 'relayed' : 'direct'
}

async function runLab(): Promise<void> {
  const lab = await NatLab.start(t)
  const hosts = await Promise.all(NAT_KINDS.map((kind) => lab.initHost(lab.network.addSite(kind, HOST_UDP_PORT))))
  await Promise.all(hosts.map((host) => lab.startHost(host)))
  const found: Found = new Map()
  const reachAll = async (device: NatKind) => {
    const { reached } = await runDevice(lab, lab.network.addSite(device), device)
    found.set(device, new Map(hosts.map((host) => [host.kind, reached.find((one) => one.host === host.id) as Reached])))
  }
  const open = hosts.find((one) => one.kind === 'open') as NatHost
  const hidden = lab.network.addSite('full-cone')
  lab.network.rules(open.netns, counters(hidden.publicAddress))
  const [relayOnly] = await Promise.all([runDevice(lab, hidden, 'relay-only'), ...NAT_KINDS.map(reachAll)])
  console.error(table(found))

  t.test('each pair of networks comes together in the way that it can', async (t) => {
    for (const device of NAT_KINDS) {
      for (const host of NAT_KINDS) {
        const one = found.get(device)?.get(host)
        t.equal(one?.kind, expected(device, host), `device ${device}, host ${host}: ${one?.error ?? 'put and got'}`)
      }
    }
  })

  t.test('where UDP is blocked it is said plainly, and in time', async (t) => {
    for (const kind of NAT_KINDS) {
      const here = found.get('blocked')?.get(kind)
      t.match(here?.error, /no STUN or TURN server answers here: this network may block UDP/, `to ${kind}`)
      t.ok((here?.tookMs ?? Number.NaN) < IMPOSSIBLE_MS_MAX, `${here?.tookMs} ms`)
      const there = kind === 'blocked' ? undefined : found.get(kind)?.get('blocked')
      if (there !== undefined) t.match(there.error, /the peer is reached by no STUN or TURN server/, `from ${kind}`)
    }
  })

  t.test('with --relay-only not one packet goes between device and host: both see the relay alone', async (t) => {
    const reachable = hosts.filter((one) => one.kind !== 'blocked')
    for (const { id, kind } of reachable) {
      const one = relayOnly.reached.find((reached) => reached.host === id)
      t.equal(one?.kind, 'relayed', `host ${kind}: ${one?.error ?? 'put and got'}`)
    }
    t.same(relayOnly.status, { direct: 0, relayed: reachable.length }, 'as status tells it')
    const counted = lab.network.counted(open.netns)
    t.equal(counted['from the device'], 0)
    t.equal(counted['to the device'], 0)
    t.ok((counted['from the relay'] ?? 0) > 50, `${counted['from the relay']} packets through the relay`)
  })
}

interface DeviceFacts {
  reached: Reached[]
  status: { direct: number; relayed: number }
}

async function runDevice(lab: NatLab, site: Site, name: string): Promise<DeviceFacts> {
  const words = [lab.bridgeUrl, lab.path(`device-${name}`), String(NAT_KINDS.length), name]
  return (await lab.child(site, 'nat-device-child', words)) as DeviceFacts
}

function counters(device: string): string {
  return `table ip seen {
    chain in { type filter hook input priority filter;
      ip saddr ${device} meta l4proto udp counter comment "from the device"
      ip saddr ${PUBLIC.relay} udp dport ${HOST_UDP_PORT} counter comment "from the relay"
    }
    chain out { type filter hook output priority filter;
      ip daddr ${device} meta l4proto udp counter comment "to the device"
    }
  }
`
}

function table(found: Found): string {
  const cell = (one: Reached | undefined) =>
    one === undefined ? '?' : `${one.kind}, ${one.tookMs} ms${one.again ? ' (second dial)' : ''}`
  const rows = NAT_KINDS.map((device) => [device, ...NAT_KINDS.map((host) => cell(found.get(device)?.get(host)))])
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const head = ['device \\ host', ...NAT_KINDS]
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
