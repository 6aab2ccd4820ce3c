/**
 * `recover`: this machine becomes a new device of an account, from its phrase. The drive's chain is verified from its genesis, the
 * term keys are opened with the recovery key and wrapped to the new device in a record that the account key signs.
 */
import type { Clock } from '../../base/clock.js'
import { wipeAfter } from '../../crypto/secret.js'
import type { DeviceId, DriveId } from '../../model/ids.js'
import { makeDeviceAdd } from '../../permits/chain-author.js'
import { isLive } from '../../permits/chain-state.js'
import { openRecoveryTermKeys } from '../../permits/term-keys.js'
import { appendToChain, type ChainAccess, findDrive } from './account-chain.js'
import type { DriveFacts } from './drive-files.js'
import { makeDevice, type NewDeviceParts } from './new-device.js'

export interface JoinParts extends NewDeviceParts {
  client: ChainAccess
  clock: Clock
}

/** `unknown-account`, `unknown-drive`, and what the chain is refused for. */
export async function joinDrive(parts: JoinParts): Promise<DriveFacts> {
  const drive = await findDrive(parts.client, parts.keys, parts.name)
  return makeDevice(parts, async (device) => {
    await addDevice(parts, drive, device)
    return drive
  })
}

/** Nothing is added for a device that the chain names already. */
export async function addDevice(
  { client, keys, clock }: Pick<JoinParts, 'client' | 'keys' | 'clock'>,
  drive: DriveId,
  device: DeviceId,
): Promise<void> {
  await appendToChain(client, drive, keys, null, (state) => {
    if (isLive(state, device)) return null
    const termKeys = openRecoveryTermKeys(state, keys.recovery)
    const timeMs = clock.nowMs()
    return wipeAfter([...termKeys.values()], () =>
      makeDeviceAdd(state, { device, termKeys, labelKey: keys.label, timeMs }, keys.account),
    )
  })
}
