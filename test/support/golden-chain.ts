/** The golden chain of test/vectors, its keys, and the state behind each of its records. */
import { accountId, driveId } from '../../src/model/ids.js'
import { decodeRecord } from '../../src/permits/chain-record.js'
import { followRecord, startChain } from '../../src/permits/chain-rules.js'
import type { ChainState } from '../../src/permits/chain-state.js'
import { keyOf } from './secrets.js'
import { hex, readVectors } from './vectors.js'

export interface GoldenChain {
  accountSeed: string
  recoverySeed: string
  deviceSeeds: [string, string]
  labelKey: string
  drive: string
  termKeys: [string, string]
  segments: string[]
  records: { name: string; record: string; hash: string }[]
  good: string
  brokenGenesis: { name: string; record: string; code: string }[]
  broken: { name: string; on: number; record: string; follow: string; append: string }[]
}
export const golden = readVectors<GoldenChain>('chain/chain')
export const account = keyOf(golden.accountSeed)
export const [deviceA, deviceB] = golden.deviceSeeds.map((seed) => keyOf(seed)) as [
  ReturnType<typeof keyOf>,
  ReturnType<typeof keyOf>,
]
export const expected = { drive: driveId(golden.drive), account: accountId(account.id) }
export const records = golden.records.map(({ record }) => decodeRecord(hex(record)))

/** The states after each golden record. */
export const states: ChainState[] = []
for (const record of records) {
  const before = states.at(-1)
  states.push(before ? followRecord(before, record) : startChain(record, expected))
}
export const last = states.at(-1) as ChainState
