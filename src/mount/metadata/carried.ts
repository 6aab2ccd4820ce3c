/** What is carried over from a ledger that was set aside, and what of it was lost. */

export interface LostFile {
  readonly path: string
  /** Bytes that only the damaged ledger had. */
  readonly bytes: number
  /** stored: shows its last stored bytes; damaged: was new, and has zeros where bytes are lost. */
  readonly now: 'stored' | 'damaged'
}

export interface CarriedOver {
  readonly operations: number
  readonly bytes: number
  /** Operations that could not be read or done; null: nobody knows how many there were. */
  readonly lostOperations: number | null
  readonly lostBytes: number
  readonly lostFiles: readonly LostFile[]
  /** Of how many files bytes are lost; `lostFiles` names the first. */
  readonly lostFileCount: number
}

export interface CarriedPins {
  readonly pins: number
  /** Pins of which nobody can tell any more what they were for; null: nor how many. */
  readonly lost: number | null
}

export interface CarryPlan {
  /** The position up to which the chain has everything. */
  readonly from: number
  /** Of the last operation; null: cannot be read. */
  readonly last: number | null
  /** Positions behind which an epoch was cut. */
  readonly cuts: readonly number[]
  /** Names the ledger that was set aside. */
  readonly mark: string
}

/** Under this key the new ledger remembers what it took over, so that it is done once, and told also when the process died before it had told. */
export const CARRIED_KEY = 'carried-over'

/** A release that remembered nothing but the mark was cut short behind it. */
const UNCOUNTED: CarriedOver = {
  operations: 0,
  bytes: 0,
  lostOperations: null,
  lostBytes: 0,
  lostFiles: [],
  lostFileCount: 0,
}

export function encodeCarried(mark: string, carried: CarriedOver): Buffer {
  return Buffer.from(JSON.stringify({ mark, carried }))
}

/** null: nothing was taken over from the ledger of this mark. */
export function decodeCarried(bytes: Buffer | null, mark: string): CarriedOver | null {
  if (bytes === null) return null
  const text = bytes.toString('utf8')
  if (text === mark) return UNCOUNTED
  const saved = JSON.parse(text) as { mark: string; carried: CarriedOver }
  return saved.mark === mark ? saved.carried : null
}
