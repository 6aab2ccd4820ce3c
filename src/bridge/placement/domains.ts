/**
 * Failure domains as the bridge sees them: who operates a host and in which network it stands. One segment puts at most
 * one shard into each. IPv4 counts by /24, IPv6 by /48, an IPv4 address inside IPv6 as the IPv4 address that it is.
 */
import { isIP } from 'node:net'

/** `203.0.113.0/24`, `2001:db8:1::/48`; an address that cannot be read is a domain of its own. */
export function subnetOf(address: string): string {
  const plain = address.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1] ?? plain
  if (isIP(mapped) === 4) return `${mapped.split('.').slice(0, 3).join('.')}.0/24`
  if (isIP(mapped) === 6) return `${groupsOf(mapped).slice(0, 3).join(':')}::/48`
  return `unknown:${plain.slice(0, 64)}`
}

/** The eight groups of an IPv6 address without leading zeros. */
function groupsOf(address: string): string[] {
  const dotted = /:(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const whole = dotted ? address.slice(0, dotted.index + 1) + dottedGroups(dotted.slice(1).map(Number)) : address
  const [head = '', tail] = whole.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].map((group) => group.replace(/^0+(?=.)/, ''))
}

function dottedGroups([a = 0, b = 0, c = 0, d = 0]: number[]): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

/** Loopback addresses: the only ones that a single-machine bridge listens on. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
}
