/**
 * Which hosts take the shards of a segment: no host twice, under the standard policy no operator and no network twice,
 * online hosts first, by weighted lot (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006), new
 * ones only a few until audits know them. Offline hosts fill up what is missing, the most lately seen first: the bridge
 * completes them when they return. Pure; the lot is handed in.
 */
import type { Policy } from '../../wire/api.js'

export interface Candidate {
  row: number
  operator: string | null
  subnet: string
  freeBytes: number
  online: boolean
  seenAt: number
}

/** A host with less room than this many of the shard is left alone: several uploads share its last bytes. */
const SPARE_SHARDS = 4

/** Of very many hosts a random part is looked at: enough that domains and weights come out the same. */
const LOOKED_AT_MIN = 512

/** Of all shards, as long as that is less than one of a segment; one at most of each. */
const NEW_SHARE = 0.05

export interface Choice<T extends Candidate> {
  hosts: T[]
  online: number
}

export interface ChoiceOptions<T extends Candidate> {
  policy: Policy
  shardBytes: number
  /** Hold shards of the segment already. */
  taken?: readonly Candidate[]
  lot: () => number
  /** Default: free space. */
  weigh?: (host: T) => number
  /** Not vetted yet: gets a small share, while there are enough others. */
  isNew?: (host: T) => boolean
}

/** At most `wanted` hosts, best first; fewer when the domains do not suffice. `taken` are hosts that hold shards already. */
export function chooseHosts<T extends Candidate>(
  candidates: readonly T[],
  wanted: number,
  options: ChoiceOptions<T>,
): Choice<T> {
  const { lot, taken = [], weigh = (one: T) => one.freeBytes, isNew = () => false } = options
  const used = new Domains(options.policy)
  for (const host of taken) used.take(host)
  const looked = someOf(candidates, Math.max(LOOKED_AT_MIN, wanted * 16), lot)
  const fitting = looked.filter((one) => one.freeBytes >= options.shardBytes * SPARE_SHARDS)
  const online = fitting
    .filter((one) => one.online)
    .map((one) => ({ one, key: Math.log(lot() || Number.MIN_VALUE) / (weigh(one) || Number.MIN_VALUE) }))
    .sort((a, b) => b.key - a.key)
    .map((entry) => entry.one)
  const offline = fitting.filter((one) => !one.online).sort((a, b) => b.seenAt - a.seenAt)
  const hosts: T[] = []
  let newLeft = taken.some((one) => isNew(one as T)) || lot() >= NEW_SHARE * wanted ? 0 : 1
  const later: T[] = []
  for (const one of online) {
    if (hosts.length === wanted) break
    if (isNew(one) && newLeft === 0) later.push(one)
    else if (used.take(one)) {
      hosts.push(one)
      newLeft -= isNew(one) ? 1 : 0
    }
  }
  // A young network has no others.
  for (const one of [...later, ...offline]) {
    if (hosts.length === wanted) break
    if (used.take(one)) hosts.push(one)
  }
  return { hosts, online: hosts.filter((one) => one.online).length }
}

/** A stretch of the list from a random place on, around its end: the list is in no meaningful order. */
function someOf<T>(list: readonly T[], count: number, lot: () => number): readonly T[] {
  if (list.length <= count) return list
  const from = Math.floor(lot() * list.length)
  const end = list.slice(from, from + count)
  return [...end, ...list.slice(0, count - end.length)]
}

/** How many shards of one segment these hosts can take at most: the number of independent domains. */
export function domainCount(hosts: readonly Candidate[], policy: Policy): number {
  const used = new Domains(policy)
  return hosts.filter((one) => used.take(one)).length
}

class Domains {
  private readonly taken = new Set<string>()
  private readonly policy: Policy

  constructor(policy: Policy) {
    this.policy = policy
  }

  /** True when nothing of this host's domains was taken yet. */
  take(host: Candidate): boolean {
    const keys = [`host ${host.row}`]
    if (this.policy === 'standard') {
      keys.push(`subnet ${host.subnet}`)
      if (host.operator !== null) keys.push(`operator ${host.operator}`)
    }
    if (keys.some((key) => this.taken.has(key))) return false
    for (const key of keys) this.taken.add(key)
    return true
  }
}
