/**
 * `init`, `up` and `drive create`: a new account, a new drive, this device as its first. A drive's id comes out of its name, under a
 * key that the bridge does not have: of two attempts to make the drive of a name one makes it, and the other finds it there.
 */
import type { Clock } from '../../base/clock.js'
import { isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import { deriveDriveId, drawTermKey } from '../../crypto/keys.js'
import { wipeAfter } from '../../crypto/secret.js'
import { type AccountId, accountId, type DeviceId, type DriveId, driveId } from '../../model/ids.js'
import { makeGenesis } from '../../permits/chain-author.js'
import { sealDriveLabel } from '../../permits/drive-label.js'
import type { ChainAccess } from './account-chain.js'
import type { DriveFacts } from './drive-files.js'
import { addDevice } from './join-drive.js'
import { makeDevice, type NewDeviceParts } from './new-device.js'

/** The bridge, spoken to with the account key. */
export interface AccountBridge extends ChainAccess {
  createAccount(account: AccountId, recoveryKey: Uint8Array): Promise<unknown>
  /** `drive-exists`: of this id, with another first record. */
  createDrive(genesis: Uint8Array, label: Uint8Array): Promise<unknown>
}

export interface CreateParts extends NewDeviceParts {
  client: AccountBridge
  clock: Clock
}

/** A new account and its first drive. */
export async function createAccount(parts: CreateParts): Promise<DriveFacts> {
  const { client, keys } = parts
  await client.createAccount(accountId(keys.account.id), keys.recovery.publicKey)
  failpoint('mount.account.created')
  return createDrive(parts)
}

/** A drive of an account that exists. One of this name that is there already is joined. */
export async function createDrive(parts: CreateParts): Promise<DriveFacts> {
  const drive = driveId(deriveDriveId(parts.keys.label, parts.name))
  return makeDevice(parts, async (device) => {
    try {
      await createAtBridge(parts, drive, device)
    } catch (error) {
      if (!isCode(error, 'drive-exists')) throw error
      await addDevice(parts, drive, device)
    }
    return drive
  })
}

async function createAtBridge(parts: CreateParts, drive: DriveId, device: DeviceId): Promise<void> {
  const { client, keys, random, name } = parts
  const termKey = drawTermKey(random)
  await wipeAfter([termKey], () => {
    const genesis = makeGenesis({
      drive,
      timeMs: parts.clock.nowMs(),
      account: keys.account,
      recovery: keys.recovery,
      device,
      termKey,
      labelKey: keys.label,
    })
    return client.createDrive(genesis.encoded, sealDriveLabel(keys.label, drive, name, random))
  })
}
