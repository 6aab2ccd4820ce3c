/**
 * Takes a record to the end of the chain, on a new head as often as the chain moves under us. An append whose answer was lost
 * is recognised: the same bytes are told again, and what others appended is looked through for them.
 */
import { isCode } from '../../base/errors.js'
import type { SavedRecord } from '../metadata/types.js'

/** Builds and signs records on the present head, appends them, learns of records of others. */
export interface ChainEnd {
  /** Whether the record follows our head: only then can the bridge still take it. */
  fits(record: SavedRecord): boolean
  /** `head-moved` when the chain grew by somebody else's record. */
  append(record: SavedRecord, signal: AbortSignal): Promise<void>
  /** Takes in records after our head. True when `record` is among them; it is not taken in then. */
  catchUp(record: SavedRecord, signal: AbortSignal): Promise<boolean>
  /** The record is the head now. */
  adopt(record: SavedRecord): Promise<void>
}

/** Others append a few records in a year; a bridge that always says so is asked again later. */
const ATTEMPTS = 8

/**
 * `first` is what an earlier attempt may have sent; `make` signs the same content on the present head. Answers the record
 * that is in the chain, not yet adopted.
 */
export async function appendAtEnd(
  chain: ChainEnd,
  first: SavedRecord | null,
  make: () => Promise<SavedRecord>,
  signal: AbortSignal,
): Promise<SavedRecord> {
  let record = first !== null && chain.fits(first) ? first : await make()
  for (let attempt = 1; ; attempt++) {
    try {
      await chain.append(record, signal)
      return record
    } catch (error) {
      const moved = isCode(error, 'head-moved') || isCode(error, 'key-term-stale')
      if (!moved || attempt >= ATTEMPTS) throw error
    }
    if (await chain.catchUp(record, signal)) return record
    record = await make()
  }
}
