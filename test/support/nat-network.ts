/**
 * An internet of network namespaces: a public segment, and sites on it, each with one machine behind a router of a certain
 * kind (nftables). Every site is in a /24 of its own, as the bridge counts networks. For root on Linux with ip and nft.
 *
 * Nothing of it outlives its process for long: close() ends what runs inside and removes the namespaces with their
 * interfaces and rules; what a killed process left is removed by the next one.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { isAlive, killQuietly } from './programs.js'

export type NatKind = 'open' | 'full-cone' | 'port-restricted' | 'symmetric' | 'blocked'
export const NAT_KINDS: readonly NatKind[] = ['open', 'full-cone', 'port-restricted', 'symmetric', 'blocked']

/** RFC 2544: addresses for tests like this one; public as far as any program here is concerned. */
export const PUBLIC = {
  bridge: '198.18.0.1',
  /** Of the STUN server: RFC 5780 wants two. */
  stunOther: '198.18.0.2',
  /** Where relayed packets come from. */
  relay: '198.18.0.3',
} as const

/** Whatever is not on the public segment is sent there, and lost. */
const BACKBONE = '198.18.255.254'

const PREFIX = 'shardrive-nat'
const PROGRAMS = ['ip', 'nft', 'nsenter', 'turnserver', 'openssl']
const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin']

export interface Site {
  kind: NatKind
  /** Name of the namespace of its machine. */
  netns: string
  /** Of the router, or of the machine when it is open. */
  publicAddress: string
  /** Of the machine. */
  address: string
}

export class NatNetwork {
  readonly publicNetns: string
  private readonly name = `${PREFIX}-${process.pid}-${Math.random().toString(36).slice(2, 6)}`
  private readonly made: string[] = []
  private sites = 0

  private constructor() {
    process.once('exit', () => this.close())
    this.publicNetns = this.namespace('public')
    const lines = ['link set lo up', 'link add br0 type bridge', 'link set br0 up']
    const addresses = [...Object.values(PUBLIC), BACKBONE].map((address) => `addr add ${address}/16 dev br0`)
    // As in the real one, whatever has no place is lost on the way: a TURN server that gets an error instead gives up.
    const rest = ['link add nowhere type bridge', 'addr add 198.19.0.1/24 dev nowhere', 'link set nowhere up']
    const neighbour = 'neigh add 198.19.0.2 lladdr 02:00:00:00:00:01 dev nowhere nud permanent'
    this.ip(this.publicNetns, [...lines, ...addresses, ...rest, neighbour, 'route add default via 198.19.0.2'])
  }

  /** What this machine lacks, or undefined. */
  static missing(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces are of Linux'
    if (process.getuid?.() !== 0) return 'only root makes network namespaces'
    const lacks = PROGRAMS.filter((name) => !FOLDERS.some((folder) => fs.existsSync(`${folder}/${name}`)))
    if (lacks.length > 0) return `${lacks.join(', ')}: as root: apt-get install iproute2 nftables coturn openssl`
    removeLeftovers()
    const name = `${PREFIX}-${process.pid}-try`
    const made = spawnSync('ip', ['netns', 'add', name])
    const rules = spawnSync('nsenter', [`--net=/run/netns/${name}`, 'nft', '-f', '-'], { input: masquerade('') })
    spawnSync('ip', ['netns', 'del', name])
    if (made.status !== 0) return 'this machine allows no network namespaces'
    return rules.status === 0 ? undefined : 'the kernel of this machine has no NAT for nftables'
  }

  static open(): NatNetwork {
    return new NatNetwork()
  }

  /** `udpPort`: the port that a full cone forwards, if it is not to forward all. */
  addSite(kind: NatKind, udpPort?: number): Site {
    const number = ++this.sites
    const publicAddress = `198.18.${number}.2`
    const netns = this.namespace(`${number}-${kind}`)
    this.ip(netns, ['link set lo up'])
    const place = `${number}`
    if (kind === 'open') {
      this.join(netns, 'eth0', publicAddress, place)
      return { kind, netns, publicAddress, address: publicAddress }
    }
    const router = this.namespace(`${number}-router`)
    const address = `10.77.${number}.2`
    this.join(router, 'wan', publicAddress, place)
    run('ip', ['link', 'add', 'lan', 'netns', router, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns])
    this.ip(router, [`addr add 10.77.${number}.1/24 dev lan`, 'link set lan up', 'link set lo up'])
    this.ip(netns, [`addr add ${address}/24 dev eth0`, 'link set eth0 up', `route add default via 10.77.${number}.1`])
    this.run(router, 'sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
    this.rules(router, rulesOf(kind, { address, publicAddress, udpPort }))
    return { kind, netns, publicAddress, address }
  }

  /** The command that runs a program inside. */
  inside(netns: string, program: string, args: readonly string[]): [program: string, args: string[]] {
    return ['nsenter', [`--net=/run/netns/${netns}`, program, ...args]]
  }

  rules(netns: string, text: string): void {
    this.run(netns, 'nft', ['-f', '-'], text)
  }

  /** Packets that the counters of this namespace saw, by their comments. */
  counted(netns: string): Record<string, number> {
    const text = this.run(netns, 'nft', ['list', 'ruleset'])
    const found = [...text.matchAll(/counter packets (\d+) bytes \d+ comment "([^"]+)"/g)]
    return Object.fromEntries(found.map(([, packets, comment]) => [comment, Number(packets)]))
  }

  close(): void {
    for (const name of this.made.splice(0)) removeNamespace(name)
  }

  private namespace(what: string): string {
    const name = `${this.name}-${what}`
    run('ip', ['netns', 'add', name])
    this.made.push(name)
    return name
  }

  private join(netns: string, device: string, address: string, place: string): void {
    const port = `site${place}`
    const pair = ['type', 'veth', 'peer', 'name', port, 'netns', this.publicNetns]
    run('ip', ['link', 'add', device, 'netns', netns, ...pair])
    this.ip(this.publicNetns, [`link set ${port} master br0`, `link set ${port} up`])
    this.ip(netns, [
      `addr add ${address}/16 dev ${device}`,
      `link set ${device} up`,
      `route add default via ${BACKBONE}`,
    ])
  }

  private ip(netns: string, lines: readonly string[]): void {
    run('ip', ['-n', netns, '-batch', '-'], `${lines.join('\n')}\n`)
  }

  private run(netns: string, program: string, args: readonly string[], input = ''): string {
    return run(...this.inside(netns, program, args), input)
  }
}

function masquerade(flags: string, more = ''): string {
  return `table ip nat {
    chain out { type nat hook postrouting priority srcnat; ${more} oifname "wan" masquerade ${flags}; }
  }
`
}

/** As routers at home have it: what nobody inside asked for is dropped, and so leaves no trace in the table of connections. */
const FIREWALL = `table ip firewall {
    chain input { type filter hook input priority filter; iifname "wan" ct state new drop; }
  }
`

function rulesOf(
  kind: Exclude<NatKind, 'open'>,
  { address, publicAddress, udpPort }: { address: string; publicAddress: string; udpPort: number | undefined },
): string {
  if (kind === 'port-restricted') return masquerade('') + FIREWALL
  if (kind === 'symmetric') return masquerade('fully-random') + FIREWALL
  if (kind === 'blocked') {
    return `${masquerade('')}${FIREWALL}table ip blocked {
    chain forward { type filter hook forward priority filter; meta l4proto udp drop; }
  }
`
  }
  const inside = udpPort === undefined ? '1024-65535' : `${udpPort}`
  const kept = `oifname "wan" ip saddr ${address} udp sport ${inside} snat to ${publicAddress}:${inside};`
  return `${masquerade('', kept)}${FIREWALL}table ip forward {
    chain in { type nat hook prerouting priority dstnat; iifname "wan" udp dport ${inside} dnat to ${address}; }
  }
`
}

function run(program: string, args: readonly string[], input = ''): string {
  const ran = spawnSync(program, args, { input, encoding: 'utf8', timeout: 20_000 })
  if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.stderr}\n${input}`)
  return ran.stdout
}

function removeNamespace(name: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
  for (const pid of (stdout ?? '').split('\n').filter((line) => line !== '')) killQuietly(Number(pid))
  spawnSync('ip', ['netns', 'del', name])
}

/** Of processes that ended without a chance to clean up. */
function removeLeftovers(): void {
  if (!fs.existsSync('/run/netns')) return
  for (const name of fs.readdirSync('/run/netns')) {
    const owner = /^shardrive-nat-(\d+)-/.exec(name)?.[1]
    if (owner !== undefined && !isAlive(Number(owner))) removeNamespace(name)
  }
}
