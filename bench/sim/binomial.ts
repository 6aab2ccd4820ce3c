/** Binomial weights and tails that keep their relative accuracy where they are tiny: sums of positive terms from logarithms. */
const logFactorials: number[] = [0]

function logFactorial(n: number): number {
  for (let i = logFactorials.length; i <= n; i++) logFactorials.push((logFactorials[i - 1] as number) + Math.log(i))
  return logFactorials[n] as number
}

/** P(exactly i of n). */
export function binomial(n: number, i: number, p: number): number {
  if (i < 0 || i > n) return 0
  if (p <= 0) return i === 0 ? 1 : 0
  if (p >= 1) return i === n ? 1 : 0
  const ways = logFactorial(n) - logFactorial(i) - logFactorial(n - i)
  return Math.exp(ways + i * Math.log(p) + (n - i) * Math.log1p(-p))
}

/** P(at least `least` of n). */
export function atLeast(n: number, least: number, p: number): number {
  let sum = 0
  for (let i = n; i >= Math.max(0, least); i--) sum += binomial(n, i, p)
  return sum
}

/** P(fewer than `end` of n). */
export function fewerThan(n: number, end: number, p: number): number {
  let sum = 0
  for (let i = 0; i < Math.min(end, n + 1); i++) sum += binomial(n, i, p)
  return sum
}

/** The ladder's rule: the largest k that is left with 99.99 % when each of n shards is left with 75 % and nothing is repaired. */
export const LADDER_SURVIVAL = 0.75
export const LADDER_RECOVERY = 0.9999

export function ladderDataShards(totalShards: number): number {
  let k = 0
  while (k < totalShards && atLeast(totalShards, k + 1, LADDER_SURVIVAL) >= LADDER_RECOVERY) k++
  return k
}
