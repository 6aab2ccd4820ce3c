/**
 * `recover`: this machine becomes a new device of an account, from its phrase. The drive's chain is verified from its genesis, the
 * term keys are opened with the recovery key and wrapped to the new device in a record that the account key signs.
 */
import path from 'node:path'
import type { Clock } from '../../base/clock.js'
import type { RandomBytes } from '../../base/random.js'
import { drawDeviceSeed, type PhraseKeys } from '../../crypto/keys.js'
import { type SecretBytes, wipeAfter } from '../../crypto/secret.js'
import { SigningKey } from '../../crypto/signing-key.js'
import { accountId, type BridgeId, deviceId } from '../../model/ids.js'
import { makeDeviceAdd } from '../../permits/chain-author.js'
import { openRecoveryTermKeys } from '../../permits/term-keys.js'
import { appendToChain, type ChainAccess, findDrive } from './account-chain.js'
import { type DriveFacts, writeDriveFiles } from './drive-files.js'

export interface JoinParts {
  stateDir: string
  bridgeUrl: string
  bridge: BridgeId
  client: ChainAccess
  keys: PhraseKeys
  name: string
  passphrase?: SecretBytes
  clock: Clock
  random: RandomBytes
}

/** `unknown-account`, `unknown-drive`, and what the chain is refused for. */
export async function joinDrive(parts: JoinParts): Promise<DriveFacts> {
  const { client, keys, random } = parts
  const drive = await findDrive(client, keys, parts.name)
  const seed = drawDeviceSeed(random)
  return wipeAfter([seed], async () => {
    const deviceKey = SigningKey.fromSeed(seed)
    const device = deviceId(deviceKey.id)
    deviceKey.wipe()
    const account = accountId(keys.account.id)
    const facts = { bridgeUrl: parts.bridgeUrl, bridge: parts.bridge, account, drive, name: parts.name, device }
    await appendToChain(client, drive, keys, null, (state) => {
      const termKeys = openRecoveryTermKeys(state, keys.recovery)
      const timeMs = parts.clock.nowMs()
      return wipeAfter([...termKeys.values()], () =>
        makeDeviceAdd(state, { device, termKeys, labelKey: keys.label, timeMs }, keys.account),
      )
    })
    await writeDriveFiles(path.resolve(parts.stateDir), facts, { seed, labelKey: keys.label }, random, parts.passphrase)
    return facts
  })
}
