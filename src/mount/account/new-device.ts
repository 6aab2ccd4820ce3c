/**
 * This machine becomes a device of a drive: its key is on disk before anybody hears of it, then the drive is made or joined at the
 * bridge, and drive.json comes last. An attempt that was cut short anywhere is taken up by the next one in the same directory, with
 * the same device, so that neither a drive nor a device comes to be twice.
 */
import { failpoint } from '../../base/failpoint.js'
import type { RandomBytes } from '../../base/random.js'
import { drawDeviceSeed, type PhraseKeys } from '../../crypto/keys.js'
import { type SecretBytes, wipeAfter } from '../../crypto/secret.js'
import { SigningKey } from '../../crypto/signing-key.js'
import { accountId, type BridgeId, type DeviceId, type DriveId, deviceId } from '../../model/ids.js'
import { type DriveFacts, loadUnfinishedKeys, writeDeviceKeys, writeDriveFacts } from './drive-files.js'

export interface NewDeviceParts {
  stateDir: string
  bridgeUrl: string
  bridge: BridgeId
  keys: PhraseKeys
  /** Of the drive. */
  name: string
  passphrase?: SecretBytes
  random: RandomBytes
}

/** `settle` makes or joins the drive; it may have been called for the same device before. */
export async function makeDevice(
  parts: NewDeviceParts,
  settle: (device: DeviceId) => Promise<DriveId>,
): Promise<DriveFacts> {
  const { stateDir, bridgeUrl, bridge, keys, name, passphrase, random } = parts
  const seed = (await seedOfBefore(stateDir, keys, passphrase)) ?? drawDeviceSeed(random)
  return wipeAfter([seed], async () => {
    const device = idOf(seed)
    await writeDeviceKeys(stateDir, { seed, labelKey: keys.label }, random, passphrase)
    failpoint('mount.device.written')
    const drive = await settle(device)
    failpoint('mount.device.settled')
    const facts = { bridgeUrl, bridge, account: accountId(keys.account.id), drive, name, device }
    writeDriveFacts(stateDir, facts)
    return facts
  })
}

/** Of an attempt that was cut short, if it was for the same phrase. */
async function seedOfBefore(
  stateDir: string,
  keys: PhraseKeys,
  passphrase: SecretBytes | undefined,
): Promise<SecretBytes | null> {
  const before = await loadUnfinishedKeys(stateDir, passphrase)
  if (before === null) return null
  return wipeAfter([before.seed, before.labelKey], () =>
    before.labelKey.equals(keys.label) ? before.seed.copy() : null,
  )
}

function idOf(seed: SecretBytes): DeviceId {
  const key = SigningKey.fromSeed(seed)
  const id = deviceId(key.id)
  key.wipe()
  return id
}
