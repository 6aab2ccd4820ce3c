/** What `init`, `recover`, `mount --phrase-file` and `up` share: a phrase and a bridge become a device with a drive. */
import path from 'node:path'
import { AppError } from '../base/errors.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { fetchBridgeInfo } from '../bridge-client/bridge-info.js'
import { derivePhraseKeys, type PhraseKeys } from '../crypto/keys.js'
import { openPhrase } from '../crypto/phrase.js'
import type { SecretBytes } from '../crypto/secret.js'
import { type BridgeId, bridgeId, type DriveId } from '../model/ids.js'
import { type ChainAccess, listDrives } from '../mount/account/account-chain.js'
import { type AccountBridge, createAccount, createDrive } from '../mount/account/create-account.js'
import { type DriveFacts, isUnfinished, prepareStateDir } from '../mount/account/drive-files.js'
import { joinDrive } from '../mount/account/join-drive.js'
import { type Revoked, revokeDevice } from '../mount/account/revoke-device.js'
import { splitRecords } from '../permits/chain-record.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

export interface SetupOptions {
  stateDir: string
  bridgeUrl: string
  driveName: string
  passphrase?: SecretBytes
  /** The bridge that is known already; without it, whoever answers at the address is believed from then on. */
  bridge?: BridgeId
  /** Called when the bridge has answered and nothing was made yet: for writing the phrase down. */
  beforeCreate?: () => void
}

interface AccountParts {
  bridge: BridgeId
  client: BridgeClient
  keys: PhraseKeys
}

type AccountWork<T> = (parts: AccountParts) => Promise<T>

/** A new account; the phrase was shown to its owner before. What of it is there already (an attempt was cut short) is taken up. */
export async function setUpAccount(
  phrase: string,
  options: SetupOptions,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<DriveFacts> {
  const create: AccountWork<DriveFacts> = async (parts) => {
    options.beforeCreate?.()
    return createAccount({ ...makingOf(options, parts, around), client: accountAccess(parts.client) })
  }
  return withAccount(phrase, options, create, around)
}

/** Another drive of an account that exists; this machine is its first device. */
export async function setUpDrive(
  phrase: string,
  options: SetupOptions,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<DriveFacts> {
  const create: AccountWork<DriveFacts> = async (parts) => {
    const drives = await listDrives(chainAccess(parts.client), parts.keys)
    if (drives.length === 0) {
      throw new AppError('unknown-account', 'the bridge knows no drive of this phrase', {
        hint: 'check the phrase; a new account begins with: shardrive init',
      })
    }
    // One that we began to make from here is gone on with.
    if (drives.some((one) => one.name === options.driveName) && !isUnfinished(options.stateDir)) {
      throw new AppError('drive-exists', `this account has a drive '${options.driveName}' already`, {
        hint: 'choose another name, or bring that drive here: shardrive recover --drive NAME',
      })
    }
    return createDrive({ ...makingOf(options, parts, around), client: accountAccess(parts.client) })
  }
  return withAccount(phrase, options, create, around)
}

/** Takes a device from its drive; what is written from then on it cannot read. */
export async function revokeDeviceOf(
  phrase: string,
  options: Pick<SetupOptions, 'bridgeUrl' | 'bridge' | 'driveName'> & { device: string },
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<Revoked> {
  const revoke: AccountWork<Revoked> = ({ client, keys }) =>
    revokeDevice({
      client: chainAccess(client),
      keys,
      name: options.driveName,
      device: options.device,
      clock: around.clock,
      random: around.random,
    })
  return withAccount(phrase, options, revoke, around)
}

/** A new device of an account that exists. */
export async function setUpDevice(
  phrase: string,
  options: SetupOptions,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<DriveFacts> {
  const join: AccountWork<DriveFacts> = (parts) =>
    joinDrive({ ...makingOf(options, parts, around), client: chainAccess(parts.client) })
  return withAccount(phrase, options, join, around)
}

function makingOf(options: SetupOptions, { bridge, keys }: AccountParts, { clock, random }: Surroundings) {
  const { bridgeUrl, driveName, passphrase } = options
  const stateDir = path.resolve(options.stateDir)
  const secret = passphrase === undefined ? {} : { passphrase }
  return { stateDir, bridgeUrl, bridge, keys, name: driveName, clock, random, ...secret }
}

function accountAccess(client: BridgeClient): AccountBridge {
  return {
    ...chainAccess(client),
    createAccount: (account, recoveryKey) => client.createAccount(account, recoveryKey),
    createDrive: (genesis, label) => client.createDrive(genesis, label),
  }
}

function chainAccess(client: BridgeClient): ChainAccess {
  return {
    drives: () => client.drives(),
    records: async (drive: DriveId, sequence: number) => splitRecords(await client.chainPage(drive, sequence)),
    append: (drive: DriveId, record: Uint8Array) => client.append(drive, record),
  }
}

/** The bridge, spoken to with the account key. Everything secret is wiped at the end. */
export async function withAccount<T>(
  phrase: string,
  options: { stateDir?: string; bridgeUrl: string; bridge?: BridgeId },
  work: AccountWork<T>,
  { clock, random }: Surroundings = REAL_SURROUNDINGS,
): Promise<T> {
  const seed = await openPhrase(phrase)
  const keys = derivePhraseKeys(seed)
  seed.wipe()
  try {
    if (options.stateDir !== undefined) prepareStateDir(options.stateDir)
    const pinned = options.bridge === undefined ? {} : { bridge: options.bridge }
    const info = await fetchBridgeInfo({ url: options.bridgeUrl, clock, ...pinned })
    const bridge = bridgeId(info.bridge)
    const client = new BridgeClient({ url: options.bridgeUrl, bridge, key: keys.account, clock, random })
    await client.info()
    return await work({ bridge, client, keys })
  } finally {
    keys.wipe()
  }
}
