/**
 * The beta score with forgetting. Each verdict on a leaf has a weight w (1; an admitted loss a quarter): alpha and beta
 * shrink by lambda^w, and (1 - lambda^w) / (1 - lambda) is added to one of them, which for w = 1 is alpha = lambda alpha + 1.
 * alpha begins at 1 / (1 - lambda) = 1,000 and beta at 0, so their sum is 1,000 for ever and the score alpha / (alpha + beta)
 * alone is what has to be kept: a failure multiplies it by lambda^w, a success does that to what it lacks.
 *
 * n verdicts of one kind are one power of lambda. Of a batch, failures come first: then the order in which answers came
 * never hurts a host, and what it proved in the same batch counts in full.
 */

/** The last 1,000 verdicts count most: 1.7 days at 576 leaves a day. Long enough that a burst of 16 is noise (1.6 %). */
export const LAMBDA = 0.999
/** A host that says itself that a shard is gone lets repair begin at once: that is worth being honest. */
export const ADMITTED_COST = 0.25

/** `failures`: summed weights. */
export function scoreAfter(score: number, failures: number, successes: number): number {
  const failed = score * LAMBDA ** failures
  return 1 - (1 - failed) * LAMBDA ** successes
}

/**
 * Bursts that came to no verdict for reasons that may be the bridge's own. Slow on purpose: 51 in a row, a day and a half,
 * take it below UNKNOWN_SUSPEND (0.6 = 0.99 ^ 51).
 */
export const UNKNOWN_LAMBDA = 0.99

export function knownAfter(known: number, isKnown: boolean): number {
  return known * UNKNOWN_LAMBDA + (isKnown ? 1 - UNKNOWN_LAMBDA : 0)
}
