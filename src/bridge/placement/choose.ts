/**
 * Which hosts take the shards of a segment: no host twice, under the standard policy no operator and no network twice,
 * online hosts first, by weighted lot on free space (Efraimidis and Spirakis, "Weighted random sampling with a
 * reservoir", 2006). Offline hosts fill up what is missing, the most lately seen first: the bridge completes them when
 * they return. Pure; the lot is handed in.
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

export interface Choice<T extends Candidate> {
  hosts: T[]
  online: number
}

/** At most `wanted` hosts, best first; fewer when the domains do not suffice. `taken` are hosts that hold shards already. */
export function chooseHosts<T extends Candidate>(
  candidates: readonly T[],
  wanted: number,
  options: { policy: Policy; shardBytes: number; taken?: readonly Candidate[]; lot: () => number },
): Choice<T> {
  const used = new Domains(options.policy)
  for (const host of options.taken ?? []) used.take(host)
  const looked = someOf(candidates, Math.max(LOOKED_AT_MIN, wanted * 16), options.lot)
  const fitting = looked.filter((one) => one.freeBytes >= options.shardBytes * SPARE_SHARDS)
  const online = fitting
    .filter((one) => one.online)
    .map((one) => ({ one, key: Math.log(options.lot() || Number.MIN_VALUE) / one.freeBytes }))
    .sort((a, b) => b.key - a.key)
  const offline = fitting.filter((one) => !one.online).sort((a, b) => b.seenAt - a.seenAt)
  const hosts: T[] = []
  for (const one of [...online.map((entry) => entry.one), ...offline]) {
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
