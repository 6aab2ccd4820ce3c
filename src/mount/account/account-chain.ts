/** A drive's chain as the owner of the phrase sees it: verified from its genesis, and added to with the account key. */
import { AppError, isCode } from '../../base/errors.js'
import type { PhraseKeys } from '../../crypto/keys.js'
import type { ChainRecord } from '../../model/chain.js'
import { accountId, type DriveId } from '../../model/ids.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { followRecord, startChain } from '../../permits/chain-rules.js'
import type { ChainState } from '../../permits/chain-state.js'
import { openDriveLabel } from '../../permits/drive-label.js'

/** The bridge, spoken to with the account key. */
export interface ChainAccess {
  drives(): Promise<{ drive: DriveId; label: Buffer }[]>
  records(drive: DriveId, sequence: number): Promise<Buffer[]>
  append(drive: DriveId, record: Uint8Array): Promise<unknown>
}

/** Somebody else may append between our look and our record: a few times is bad luck, more is something else. */
const ATTEMPTS = 8

/** Names and ids of the account's drives. */
export async function listDrives(client: ChainAccess, keys: PhraseKeys): Promise<{ drive: DriveId; name: string }[]> {
  const drives = await client.drives()
  return drives.map(({ drive, label }) => ({ drive, name: openDriveLabel(keys.label, drive, label) }))
}

/** `unknown-account`, `unknown-drive`. */
export async function findDrive(client: ChainAccess, keys: PhraseKeys, name: string): Promise<DriveId> {
  const drives = await listDrives(client, keys)
  const found = drives.find((one) => one.name === name)
  if (found !== undefined) return found.drive
  if (drives.length === 0) {
    throw new AppError('unknown-account', 'the bridge knows no drive of this phrase', {
      hint: 'check the phrase and the address of the bridge; a mistyped word that is in the list makes another account',
    })
  }
  throw new AppError('unknown-drive', `this account has no drive '${name}'`, {
    hint: `it has: ${drives.map((one) => one.name).join(', ')}`,
  })
}

/** From what is known (nothing: the genesis) to the end that the bridge shows. */
export async function followChain(
  client: ChainAccess,
  drive: DriveId,
  keys: PhraseKeys,
  from: ChainState | null,
): Promise<ChainState> {
  let state = from
  for (;;) {
    const records = await client.records(drive, state === null ? 0 : state.head.sequence + 1)
    for (const encoded of records) {
      const record = decodeRecord(encoded)
      state =
        state === null
          ? startChain(record, { drive, account: accountId(keys.account.id) })
          : followRecord(state, record)
    }
    if (records.length === 0 && state !== null) return state
    if (records.length === 0) throw new AppError('not-found', 'the bridge has no records of this drive')
  }
}

/** Appends what `make` makes for the newest state (null: nothing is needed); answers the state with it. */
export async function appendToChain(
  client: ChainAccess,
  drive: DriveId,
  keys: PhraseKeys,
  from: ChainState | null,
  make: (state: ChainState) => ChainRecord | null,
): Promise<ChainState> {
  let state = from
  for (let attempt = 1; ; attempt++) {
    state = await followChain(client, drive, keys, state)
    const record = make(state)
    if (record === null) return state
    try {
      await client.append(drive, record.encoded)
      return followRecord(state, record)
    } catch (error) {
      if (!isCode(error, 'head-moved') || attempt >= ATTEMPTS) throw error
    }
  }
}
