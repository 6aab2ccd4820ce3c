/**
 * What of a peer's SDP reaches the library. The peer has signed it, which says who wrote it, not that it means well:
 * one data-channel section, a SHA-256 fingerprint, and a few candidates that are addresses (a name would be looked up).
 */
import { isIP } from 'node:net'
import { AppError } from '../base/errors.js'

const LINES_MAX = 200
/** Hosts with many interfaces have a dozen; each one costs probes to an address that the peer chose. */
const CANDIDATES_MAX = 16

/** Throws `malformed`. */
export function cleanSdp(sdp: string): string {
  const lines = sdp.split(/\r?\n/).filter((line) => line !== '')
  if (lines.length > LINES_MAX) throw malformed(`${lines.length} lines`)
  const media = lines.filter((line) => line.startsWith('m='))
  if (media.length !== 1 || !media[0]?.startsWith('m=application ')) throw malformed('not one data-channel section')
  if (!lines.some((line) => /^a=fingerprint:sha-256 [0-9A-Fa-f:]{95}$/.test(line))) throw malformed('no fingerprint')
  const candidates = new Set([...new Set(lines.filter(isUsable))].slice(0, CANDIDATES_MAX))
  // Each once, at its first place: one that comes again would be probed again.
  const kept = lines.filter((line) => !line.startsWith('a=candidate') || candidates.delete(line))
  return `${kept.join('\r\n')}\r\n`
}

/** a=candidate:foundation component transport priority address port typ ... */
function isUsable(line: string): boolean {
  if (!line.startsWith('a=candidate:')) return false
  const words = line.split(' ')
  return words[2]?.toUpperCase() === 'UDP' && isIP(words[4] ?? '') !== 0
}

/** Where a STUN server saw the describer. `sdp` is clean. */
export function reflexiveOf(sdp: string): { address: string; port: number } | null {
  const words = /^a=candidate:(.*) typ srflx/m.exec(sdp)?.[1]?.split(' ')
  const port = Number(words?.[5])
  return words?.[4] !== undefined && port >= 1 && port <= 65_535 ? { address: words[4], port } : null
}

function malformed(why: string): AppError {
  return new AppError('malformed', `session description: ${why}`)
}
