/** Checks the books of a bridge against themselves: `shardrive bridge fsck`. Every chain is read and verified from its genesis. */

import path from 'node:path'
import { AppError } from '../../base/errors.js'
import { driveId } from '../../model/ids.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { followRecord, startChain } from '../../permits/chain-rules.js'
import { type ChainState, encodeChainState } from '../../permits/chain-state.js'
import { lockFolder } from '../../sqlite/lock.js'
import { quickCheck } from '../../sqlite/open.js'
import { openBooks } from '../persist/books.js'
import { askBooks, type BookedChain, bookedChains, type Finding } from '../persist/checks.js'

const CHAIN = 'chain'

/** `folder-locked` while the bridge runs, `no-books`, `database-damaged`. */
export function checkBooks(dir: string): Finding[] {
  const unlock = lockFolder(path.join(dir, 'bridge.lock'))
  try {
    const db = openBooks(dir)
    try {
      quickCheck(db)
      return [...askBooks(db), ...bookedChains(db).flatMap(chainFindings)]
    } finally {
      db.close()
    }
  } finally {
    unlock()
  }
}

function chainFindings(chain: BookedChain): Finding[] {
  const wrong = (message: string): Finding[] => [{ code: CHAIN, message: `${chain.drive}: ${message}` }]
  let state: ChainState | null = null
  let bytes = 0
  try {
    for (const encoded of chain.records()) {
      const record = decodeRecord(encoded)
      state = state === null ? startChain(record, { drive: driveId(chain.drive) }) : followRecord(state, record)
      bytes += encoded.length
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return wrong(error.message)
  }
  if (state === null) return wrong('there are no records')
  const isHead = state.head.sequence === chain.headSequence && state.head.hash.equals(chain.headHash)
  if (!isHead) return wrong(`the head is not the last record (${state.head.sequence})`)
  if (encodeChainState(state) !== chain.stateText) return wrong('what is noted of the chain is not what it says')
  return bytes === chain.bytes ? [] : wrong(`${bytes} bytes of records, ${chain.bytes} are counted`)
}
