/**
 * `recover`: this machine becomes a new device of an account, from its phrase. The drive's chain is verified from its genesis, the
 * term keys are opened with the recovery key and wrapped to the new device in a record that the account key signs.
 */
import path from 'node:path'
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { RandomBytes } from '../../base/random.js'
import { drawDeviceSeed, type PhraseKeys } from '../../crypto/keys.js'
import { type SecretBytes, wipeAfter } from '../../crypto/secret.js'
import { SigningKey } from '../../crypto/signing-key.js'
import { accountId, type BridgeId, type DriveId, deviceId } from '../../model/ids.js'
import { makeDeviceAdd } from '../../permits/chain-author.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { followRecord, startChain } from '../../permits/chain-rules.js'
import type { ChainState } from '../../permits/chain-state.js'
import { openDriveLabel } from '../../permits/drive-label.js'
import { openRecoveryTermKeys } from '../../permits/term-keys.js'
import { type DriveFacts, writeDriveFiles } from './drive-files.js'

/** The bridge, spoken to with the account key. */
export interface JoinBridge {
  drives(): Promise<{ drive: DriveId; label: Buffer }[]>
  records(drive: DriveId, sequence: number): Promise<Buffer[]>
  append(drive: DriveId, record: Uint8Array): Promise<unknown>
}

export interface JoinParts {
  stateDir: string
  bridgeUrl: string
  bridge: BridgeId
  client: JoinBridge
  keys: PhraseKeys
  name: string
  passphrase?: SecretBytes
  clock: Clock
  random: RandomBytes
}

/** Somebody else may append between our look and our record: a few times is bad luck, more is something else. */
const ATTEMPTS = 8

export async function joinDrive(parts: JoinParts): Promise<DriveFacts> {
  const { client, keys, random } = parts
  const account = accountId(keys.account.id)
  const drive = await findDrive(parts)
  const seed = drawDeviceSeed(random)
  return wipeAfter([seed], async () => {
    const deviceKey = SigningKey.fromSeed(seed)
    const device = deviceId(deviceKey.id)
    deviceKey.wipe()
    const facts = { bridgeUrl: parts.bridgeUrl, bridge: parts.bridge, account, drive, name: parts.name, device }
    let state: ChainState | null = null
    for (let attempt = 1; ; attempt++) {
      state = await follow(client, drive, keys, state)
      const termKeys = openRecoveryTermKeys(state, keys.recovery)
      const record = wipeAfter([...termKeys.values()], () =>
        makeDeviceAdd(
          state as ChainState,
          { device, termKeys, labelKey: keys.label, timeMs: parts.clock.nowMs() },
          keys.account,
        ),
      )
      try {
        await client.append(drive, record.encoded)
        break
      } catch (error) {
        if (!isCode(error, 'head-moved') || attempt >= ATTEMPTS) throw error
      }
    }
    await writeDriveFiles(path.resolve(parts.stateDir), facts, { seed, labelKey: keys.label }, random, parts.passphrase)
    return facts
  })
}

async function findDrive({ client, keys, name }: JoinParts): Promise<DriveId> {
  const names: string[] = []
  for (const { drive, label } of await client.drives()) {
    const found = openDriveLabel(keys.label, drive, label)
    if (found === name) return drive
    names.push(found)
  }
  if (names.length === 0) {
    throw new AppError('unknown-account', 'the bridge knows no drive of this phrase', {
      hint: 'check the phrase and the address of the bridge; a mistyped word that is in the list makes another account',
    })
  }
  throw new AppError('unknown-drive', `this account has no drive '${name}'`, { hint: `it has: ${names.join(', ')}` })
}

async function follow(
  client: JoinBridge,
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
