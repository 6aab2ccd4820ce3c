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
