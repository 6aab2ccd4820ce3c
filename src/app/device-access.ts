/** A device's own keys and its signed line to the bridge, for commands that need no mounted drive. */
import { systemClock } from '../base/clock.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import type { SecretBytes } from '../crypto/secret.js'
import { SigningKey } from '../crypto/signing-key.js'
import { type DriveFacts, readDeviceKeys, readDriveFacts } from '../mount/account/drive-files.js'

export interface DeviceAccess {
  facts: DriveFacts
  client: BridgeClient
  labelKey: SecretBytes
  wipe(): void
}

export async function openDevice(stateDir: string, passphrase: SecretBytes | null): Promise<DeviceAccess> {
  const facts = readDriveFacts(stateDir)
  const { seed, labelKey } = await readDeviceKeys(stateDir, passphrase ?? undefined)
  const key = SigningKey.fromSeed(seed)
  seed.wipe()
  passphrase?.wipe()
  const client = new BridgeClient({ url: facts.bridgeUrl, bridge: facts.bridge, key, clock: systemClock })
  const wipe = () => {
    key.wipe()
    labelKey.wipe()
  }
  return { facts, client, labelKey, wipe }
}
