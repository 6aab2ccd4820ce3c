/** What new segments are sealed with, now. */
import type { Clock } from '../../base/clock.js'
import type { Scheme } from '../../model/segment.js'
import type { Policy } from '../../wire/api.js'
import type { HostRegistry } from '../hosts/registry.js'
import { trustOf } from '../hosts/standing.js'
import { domainCount } from './choose.js'
import { schemeFor } from './ladder.js'

/** Anybody may ask for it, and it looks at every host. */
const KEPT_MS = 60_000
/** A host that was not seen for so long carries no new rung. */
const SEEN_MS = 86_400_000

export class Schemes {
  private readonly parts: { hosts: HostRegistry; clock: Clock; policy: Policy; scheme: Scheme | 'ladder' }
  private known: { scheme: Scheme; readAtMs: number } | null = null

  constructor(parts: Schemes['parts']) {
    this.parts = parts
  }

  current(): Scheme {
    const { clock, scheme } = this.parts
    if (scheme !== 'ladder') return scheme
    const now = clock.monotonicMs()
    if (this.known === null || now - this.known.readAtMs >= KEPT_MS) {
      this.known = { scheme: schemeFor(this.domains()), readAtMs: now }
    }
    return this.known.scheme
  }

  private domains(): number {
    const { hosts, clock, policy } = this.parts
    const now = clock.nowMs()
    const carrying = hosts.all().filter((host) => {
      const isSeen = host.online || now - host.seenAt < SEEN_MS
      return isSeen && trustOf(host) === 'full' && host.leavingAt === null
    })
    return domainCount(carrying, policy)
  }
}
