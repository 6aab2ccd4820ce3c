/** `init` and `drive create`: a new account from a new phrase, a new drive, this device as its first. */
import type { Clock } from '../../base/clock.js'
import type { RandomBytes } from '../../base/random.js'
import { drawDeviceSeed, drawTermKey, type PhraseKeys } from '../../crypto/keys.js'
import { type SecretBytes, wipeAfter } from '../../crypto/secret.js'
import { SigningKey } from '../../crypto/signing-key.js'
import type { AccountId, DriveId } from '../../model/ids.js'
import { accountId, type BridgeId, deviceId, driveId } from '../../model/ids.js'
import { makeGenesis } from '../../permits/chain-author.js'
import { sealDriveLabel } from '../../permits/drive-label.js'
import { type DriveFacts, writeDriveFiles } from './drive-files.js'

/** The bridge, spoken to with the account key. */
export interface AccountBridge {
  createAccount(account: AccountId, recoveryKey: Uint8Array): Promise<unknown>
  createDrive(genesis: Uint8Array, label: Uint8Array): Promise<unknown>
}

export interface CreateParts {
  stateDir: string
  bridgeUrl: string
  bridge: BridgeId
  client: AccountBridge
  keys: PhraseKeys
  name: string
  passphrase?: SecretBytes
  clock: Clock
  random: RandomBytes
}

/** A new account and its first drive. */
export async function createAccount(parts: CreateParts): Promise<DriveFacts> {
  const { client, keys } = parts
  await client.createAccount(accountId(keys.account.id), keys.recovery.publicKey)
  return createDrive(parts)
}

/** A drive of an account that exists; this machine is its first device. */
export async function createDrive(parts: CreateParts): Promise<DriveFacts> {
  const { client, keys, random } = parts
  const drive: DriveId = driveId(random(16))
  const seed = drawDeviceSeed(random)
  const termKey = drawTermKey(random)
  return wipeAfter([seed, termKey], async () => {
    const deviceKey = SigningKey.fromSeed(seed)
    const device = deviceId(deviceKey.id)
    deviceKey.wipe()
    const genesis = makeGenesis({
      drive,
      timeMs: parts.clock.nowMs(),
      account: keys.account,
      recovery: keys.recovery,
      device,
      termKey,
      labelKey: keys.label,
    })
    const account = accountId(keys.account.id)
    await client.createDrive(genesis.encoded, sealDriveLabel(keys.label, drive, parts.name, random))
    const facts = { bridgeUrl: parts.bridgeUrl, bridge: parts.bridge, account, drive, name: parts.name, device }
    await writeDriveFiles(parts.stateDir, facts, { seed, labelKey: keys.label }, random, parts.passphrase)
    return facts
  })
}
