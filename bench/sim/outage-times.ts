/** How often an outage lasts longer than some hours, and how long it then goes on: of log-normal durations. */

/** Standard normal distribution; to 1e-7 (Abramowitz and Stegun 26.2.17). */
export function normalBelow(z: number): number {
  if (z < 0) return 1 - normalBelow(-z)
  const t = 1 / (1 + 0.2316419 * z)
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return 1 - (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series
}

export function longerThan(hours: number, median: number, sigma: number): number {
  return hours <= 0 ? 1 : 1 - normalBelow(Math.log(hours / median) / sigma)
}

/** Mean of what is left of an outage that has lasted `hours`. */
export function meanLeft(hours: number, median: number, sigma: number): number {
  const mean = median * Math.exp(sigma ** 2 / 2)
  if (hours <= 0) return mean
  const part = mean * normalBelow(sigma - Math.log(hours / median) / sigma)
  return part / longerThan(hours, median, sigma) - hours
}
