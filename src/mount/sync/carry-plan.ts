/** Which operations of a ledger that was set aside the chain does not have, judged by the chain itself. */
import { RECORD_KIND } from '../../model/chain.js'
import type { DeviceId } from '../../model/ids.js'
import { decodeEpoch } from '../../permits/chain-bodies.js'
import { decodeRecord } from '../../permits/chain-record.js'
import type { OldFacts } from '../metadata/old-ledger.js'
import type { SavedRecord } from '../metadata/types.js'

export type CarryFrom =
  | { readonly from: number; readonly cuts: readonly number[] }
  /** What lies there does not go on from where the chain is. */
  | { readonly conflict: string }

/**
 * Epochs of the chain behind the last one that the old ledger knew as published must be its own pending ones, in order, by the
 * hashes of their records: then it goes on behind them. `records`: the whole chain, in any order of epochs.
 */
export async function carryFrom(
  facts: OldFacts,
  records: AsyncIterable<SavedRecord>,
  device: DeviceId,
): Promise<CarryFrom> {
  const pending = [...facts.pending]
  let from = facts.published?.logTo ?? 0
  let newest = 0
  for await (const { encoded, hash } of records) {
    const record = decodeRecord(encoded)
    if (record.kind !== RECORD_KIND.epoch) continue
    const { epoch } = decodeEpoch(record.body)
    newest = epoch
    if (epoch <= (facts.published?.epoch ?? 0)) continue
    if (record.signer !== device) return { conflict: 'another device has written since' }
    const own = pending.shift()
    if (own === undefined || own.epoch !== epoch || !own.recordHash?.equals(hash)) {
      return { conflict: 'the damaged ledger is older than what this device has published' }
    }
    from = own.logTo
  }
  if (newest < (facts.published?.epoch ?? 0))
    return { conflict: 'the chain ends before what this device has published' }
  return { from, cuts: pending.map((one) => one.logTo) }
}
