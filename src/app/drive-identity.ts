/** Everything secret that a mounted drive holds, opened from its state directory and wiped at the end. */

import type { BoxKey } from '../crypto/box-key.js'
import { deriveCacheKey, deriveLocalKey, deriveStagedKey } from '../crypto/keys.js'
import type { SecretBytes } from '../crypto/secret.js'
import { SigningKey } from '../crypto/signing-key.js'
import { type DriveFacts, readDeviceKeys, readDriveFacts } from '../mount/account/drive-files.js'

export interface DriveIdentity {
  facts: DriveFacts
  device: SigningKey
  box: BoxKey
  stagedKey: SecretBytes
  cacheKey: SecretBytes
  /** Seals the drive's name for a bridge that lost it. */
  labelKey: SecretBytes
  wipe(): void
}

export async function openIdentity(stateDir: string, passphrase?: SecretBytes): Promise<DriveIdentity> {
  const facts = readDriveFacts(stateDir)
  const { seed, labelKey } = await readDeviceKeys(stateDir, passphrase)
  const local = deriveLocalKey(seed)
  const device = SigningKey.fromSeed(seed)
  const box = device.boxKey()
  const stagedKey = deriveStagedKey(local)
  const cacheKey = deriveCacheKey(local)
  for (const one of [seed, local]) one.wipe()
  const wipe = () => {
    for (const one of [device, box, stagedKey, cacheKey, labelKey]) one.wipe()
  }
  return { facts, device, box, stagedKey, cacheKey, labelKey, wipe }
}
