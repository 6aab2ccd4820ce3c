/** Who stands where: operator, /24 and provider (AS) of every host, drawn once for a network. */
import type { Random } from './random.js'
import type { Settings } from './settings.js'

/** Members of each domain one after the other: those of domain d are `members[starts[d] .. starts[d + 1])`. */
export interface Grouping {
  of: Int32Array
  starts: Int32Array
  members: Int32Array
  count: number
}

export interface Domains {
  operators: Grouping
  subnets: Grouping
  systems: Grouping
}

export function drawDomains(settings: Settings, random: Random): Domains {
  const systems = drawSystems(settings)
  const subnets = drawSubnets(settings, systems, random)
  return { systems: grouped(systems), subnets: grouped(subnets), operators: grouped(drawOperators(settings, random)) }
}

/** Share of the hosts in each provider's network, the largest first. */
export function systemShares(settings: Settings): Float64Array {
  const shares = new Float64Array(settings.systems)
  let sum = 0
  for (let rank = 0; rank < shares.length; rank++) sum += shares[rank] = (rank + 1) ** -settings.systemSkew
  return shares.map((one) => one / sum)
}

/** Hosts in order of their provider. */
function drawSystems(settings: Settings): Int32Array {
  const of = new Int32Array(settings.hosts)
  let filled = 0
  let wanted = 0
  for (const [system, share] of systemShares(settings).entries()) {
    wanted += share * settings.hosts
    while (filled < Math.min(settings.hosts, Math.round(wanted))) of[filled++] = system
  }
  while (filled < settings.hosts) of[filled++] = settings.systems - 1
  return of
}

/** A /24 belongs to one provider; its hosts are drawn among that provider's. */
function drawSubnets(settings: Settings, systems: Int32Array, random: Random): Int32Array {
  const of = new Int32Array(settings.hosts)
  let next = 0
  for (let from = 0; from < of.length; ) {
    let end = from
    while (end < of.length && systems[end] === systems[from]) end++
    const subnets = Math.max(1, Math.round((end - from) / settings.hostsPerSubnet))
    for (let host = from; host < end; host++) of[host] = next + random.below(subnets)
    next += subnets
    from = end
  }
  return of
}

/** Hosts of one operator mostly share a provider: they are neighbours in the order. Sizes of the large ones fall as 1/size^2. */
function drawOperators(settings: Settings, random: Random): Int32Array {
  const of = new Int32Array(settings.hosts)
  let operator = 0
  for (let host = 0; host < of.length; operator++) {
    const many = random.next() < settings.manyHostsShare
    const size = many ? Math.min(settings.manyHostsMax, Math.floor(2 / (1 - random.next()))) : 1
    for (let i = 0; i < size && host < of.length; i++) of[host++] = operator
  }
  return of
}

export function grouped(of: Int32Array): Grouping {
  const count = of.reduce((most, one) => Math.max(most, one), -1) + 1
  const starts = new Int32Array(count + 1)
  for (const domain of of) starts[domain + 1] = (starts[domain + 1] as number) + 1
  for (let d = 0; d < count; d++) starts[d + 1] = (starts[d + 1] as number) + (starts[d] as number)
  const members = new Int32Array(of.length)
  const at = starts.slice()
  for (const [host, domain] of of.entries()) {
    members[at[domain] as number] = host
    at[domain] = (at[domain] as number) + 1
  }
  return { of, starts, members, count }
}
