/**
 * What takes bytes from outside, as the attack sees it (attack.ts). One entry for each kind of message, record, file and
 * entry point; test/house/hostile.test.ts demands that none is missing.
 */
import type { Dice } from '../support/dice.js'
import { mutate } from '../support/mutate.js'
import { mutateJson } from '../support/mutate-json.js'

export interface Target {
  /** Tells it from all others; `ONLY` names it. */
  readonly name: string
  /** Files of src/ that take these bytes apart. */
  readonly of: readonly string[]
  /** Which kinds of a source of truth it stands for: `METHOD.put`, `POST /v1/hosts` ... (house/hostile.test.ts). */
  readonly is?: readonly string[]
  open(): Opened | Promise<Opened>
}

export interface Opened {
  /** Sound input, taken as it is before anything is changed. At least one; two or more are joined with each other. */
  readonly samples: readonly Buffer[]
  /** Hostile input; default: a sample with changes. */
  readonly spoil?: (dice: Dice, samples: readonly Buffer[]) => Buffer
  /** Takes it; throws what it refuses it with. `sound`: this is a sample. */
  take(input: Buffer, sound: boolean): unknown
  /** Codes that a refusal may have. */
  readonly codes: readonly string[]
  /**
   * Of changed input: `never` is taken (it is signed or sealed), `sometimes`, `mostly` (what is damaged is mended or left out),
   * or `always` (there is no refusal here: the answer says it in another way).
   */
  readonly taken: 'never' | 'sometimes' | 'mostly' | 'always'
  /** Text of everything that a refusal must leave as it is. */
  readonly state?: () => string
  /** What no error may show, and no log: at least 16 bytes each. */
  readonly secrets?: readonly Buffer[]
  /** What one input may cost, where a sound one costs more than others may. */
  readonly costBytesMax?: number
  /** Everything that was logged; it may show no secret either. */
  readonly said?: () => string
  /** Looked at behind the last input; what is wrong, in words. */
  conclude?(): string[] | Promise<string[]>
  close?(): void | Promise<void>
}

/** Changed bytes, joined with another sample now and then; never a sample. */
export function spoilBytes(dice: Dice, samples: readonly Buffer[]): Buffer {
  const spoilt = mutate(dice, dice.pick(samples), dice.pick(samples))
  return samples.some((one) => one.equals(spoilt)) ? mutate(dice, spoilt) : spoilt
}

/** The samples are JSON. */
export function spoilJson(samples: readonly unknown[]): (dice: Dice) => Buffer {
  return (dice) => mutateJson(dice, dice.pick(samples))
}

export function jsonSamples(values: readonly unknown[]): Buffer[] {
  return values.map((one) => Buffer.from(JSON.stringify(one)))
}

/** A decoder that keeps nothing: most of them. */
export function decoder(
  name: string,
  of: readonly string[],
  opened: Omit<Opened, 'taken'> & { taken?: Opened['taken'] },
  is: readonly string[] = [],
): Target {
  return { name, of, is, open: () => ({ taken: 'sometimes', ...opened }) }
}

/** The same of JSON values. */
export function jsonDecoder(
  name: string,
  of: readonly string[],
  values: readonly unknown[],
  take: (input: Buffer) => unknown,
  options: { codes?: readonly string[]; is?: readonly string[]; secrets?: readonly Buffer[] } = {},
): Target {
  const { codes = ['malformed'], is = [], secrets = [] } = options
  return decoder(name, of, { samples: jsonSamples(values), spoil: spoilJson(values), take, codes, secrets }, is)
}
