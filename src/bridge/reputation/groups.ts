/** Standings of all hosts of an operator or a network together: hosts that fail together show here. A view, no more. Pure. */
import type { HostState } from '../../wire/host-api.js'

export interface GroupMember {
  operator: string | null
  subnet: string
  state: HostState
  score: number
  success: number
  fail: number
}

export interface Group {
  name: string
  hosts: number
  /** Not good. */
  troubled: number
  scoreMin: number
  scoreMean: number
  success: number
  fail: number
}

/**
 * How many parties stand behind these hosts at least: as many as can be picked so that no two share an operator or a network. Who
 * runs twenty hosts in one network, or under one name, counts once, whatever else he writes on them; and nobody can make one of two
 * strangers by naming himself like one and standing beside the other, which a chain of "the same" would allow. Picked
 * greedily, the rarest first: never less than half of what could be.
 */
export function partiesOf(hosts: readonly Pick<GroupMember, 'operator' | 'subnet'>[]): number {
  const counts = new Map<string, number>()
  const named = hosts.map(({ operator, subnet }) => {
    const names = operator === null ? [`net ${subnet}`] : [`net ${subnet}`, `op ${operator}`]
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
    return names
  })
  const commonness = (names: string[]) => names.reduce((product, name) => product * (counts.get(name) ?? 1), 1)
  const taken = new Set<string>()
  let parties = 0
  for (const names of named.sort((a, b) => commonness(a) - commonness(b))) {
    if (names.some((name) => taken.has(name))) continue
    for (const name of names) taken.add(name)
    parties++
  }
  return parties
}

/** The worst first. Operators without a name are nobody's group. */
export function groupsOf(members: readonly GroupMember[], by: 'operator' | 'subnet'): Group[] {
  const groups = new Map<string, GroupMember[]>()
  for (const one of members) {
    const name = one[by]
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), one])
  }
  return [...groups].map(([name, hosts]) => groupOf(name, hosts)).sort((a, b) => a.scoreMean - b.scoreMean)
}

function groupOf(name: string, hosts: readonly GroupMember[]): Group {
  const sum = (of: (one: GroupMember) => number) => hosts.reduce((total, one) => total + of(one), 0)
  return {
    name,
    hosts: hosts.length,
    troubled: hosts.filter((one) => one.state !== 'good').length,
    scoreMin: Math.min(...hosts.map((one) => one.score)),
    scoreMean: sum((one) => one.score) / hosts.length,
    success: sum((one) => one.success),
    fail: sum((one) => one.fail),
  }
}
