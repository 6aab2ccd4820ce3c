/** What `init`, `recover`, `mount --phrase-file` and `up` share: a phrase and a bridge become a device with a drive. */
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../bridge-client/bridge-info.js'
import { derivePhraseKeys, type PhraseKeys } from '../crypto/keys.js'
import { openPhrase } from '../crypto/phrase.js'
import type { SecretBytes } from '../crypto/secret.js'
import { type BridgeId, bridgeId, type DriveId } from '../model/ids.js'
import { createAccount } from '../mount/account/create-account.js'
import type { DriveFacts } from '../mount/account/drive-files.js'
import { prepareStateDir } from '../mount/account/drive-files.js'
import { joinDrive } from '../mount/account/join-drive.js'
import { splitRecords } from '../permits/chain-record.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

export interface SetupOptions {
  stateDir: string
  bridgeUrl: string
  driveName: string
  passphrase?: SecretBytes
}

type AccountWork<T> = (parts: { bridge: BridgeId; client: BridgeClient; keys: PhraseKeys }) => Promise<T>

/** A new account; the phrase was shown to its owner before. */
export async function setUpAccount(
  phrase: string,
  options: SetupOptions,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<DriveFacts> {
  const create: AccountWork<DriveFacts> = ({ bridge, client, keys }) =>
    createAccount({
      stateDir: options.stateDir,
      bridgeUrl: options.bridgeUrl,
      bridge,
      client,
      keys,
      name: options.driveName,
      clock: around.clock,
      random: around.random,
      ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    })
  return withAccount(phrase, options, create, around)
}

/** A new device of an account that exists. */
export async function setUpDevice(
  phrase: string,
  options: SetupOptions,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<DriveFacts> {
  const join: AccountWork<DriveFacts> = ({ bridge, client, keys }) =>
    joinDrive({
      stateDir: options.stateDir,
      bridgeUrl: options.bridgeUrl,
      bridge,
      client: {
        drives: () => client.drives(),
        records: async (drive: DriveId, sequence: number) => splitRecords(await client.chainPage(drive, sequence)),
        append: (drive: DriveId, record: Uint8Array) => client.append(drive, record),
      },
      keys,
      name: options.driveName,
      clock: around.clock,
      random: around.random,
      ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    })
  return withAccount(phrase, options, join, around)
}

/** The bridge, spoken to with the account key. Everything secret is wiped at the end. */
export async function withAccount<T>(
  phrase: string,
  options: { stateDir?: string; bridgeUrl: string },
  work: AccountWork<T>,
  { clock, random }: Surroundings = REAL_SURROUNDINGS,
): Promise<T> {
  if (options.stateDir !== undefined) prepareStateDir(options.stateDir)
  const seed = await openPhrase(phrase)
  const keys = derivePhraseKeys(seed)
  seed.wipe()
  try {
    const info = await fetchBridgeInfo({ url: options.bridgeUrl, clock })
    const bridge = bridgeId(info.bridge)
    const client = new BridgeClient({ url: options.bridgeUrl, bridge, key: keys.account, clock, random })
    await client.info()
    return await work({ bridge, client, keys })
  } finally {
    keys.wipe()
  }
}
