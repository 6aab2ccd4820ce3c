/**
 * What a device keeps of its account and drive beside the ledger: `drive.json` (which bridge, which drive; nothing secret) and
 * `device.key` (docs/format.md section 2). Both 0600, written whole or not at all. The phrase and the account key are never here.
 */
import { existsSync, rmSync } from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../../base/errors.js'
import { explained, makeFolder, readSmall, writeWhole } from '../../base/folders.js'
import type { RandomBytes } from '../../base/random.js'
import {
  type DeviceKeys,
  decodeDeviceKeyFile,
  deviceKeyFileIsProtected,
  encodeDeviceKeyFile,
} from '../../crypto/device-key-file.js'
import type { SecretBytes } from '../../crypto/secret.js'
import {
  type AccountId,
  accountId,
  type BridgeId,
  bridgeId,
  type DeviceId,
  type DriveId,
  deviceId,
  driveId,
} from '../../model/ids.js'
import { Hex16, Hex32 } from '../../wire/api.js'
import { decodeJson } from '../../wire/check.js'
import { type Static, Type } from '../../wire/schema.js'

const DriveJson = Type.Object(
  {
    version: Type.Literal(1),
    bridgeUrl: Type.String({ maxLength: 2_048 }),
    bridge: Hex32,
    account: Hex32,
    drive: Hex16,
    name: Type.String({ maxLength: 120 }),
    device: Hex32,
  },
  { additionalProperties: false },
)

export interface DriveFacts {
  bridgeUrl: string
  bridge: BridgeId
  account: AccountId
  drive: DriveId
  name: string
  device: DeviceId
}

/** A hundred times what either file holds. */
const STATE_FILE_BYTES_MAX = 65_536

export const DRIVE_FILE = 'drive.json'
export const DEVICE_KEY_FILE = 'device.key'

/** Whether this directory belongs to a drive already. */
export function hasDrive(stateDir: string): boolean {
  return existsSync(path.join(stateDir, DRIVE_FILE))
}

const UNOPENED = new Set(['passphrase-needed', 'wrong-passphrase', 'state-damaged', 'unsupported-version'])

/** More than all that is written before the account exists: on a full disk nothing is begun. */
const PROBE_BYTES = 65_536

/** Makes the directory (0700) and proves that it can be written: `state-unwritable`, `no-space`. */
export function prepareStateDir(stateDir: string): void {
  explained(stateDir, () => {
    makeFolder(stateDir)
    const probe = path.join(stateDir, '.writable')
    try {
      writeWhole(probe, Buffer.alloc(PROBE_BYTES, 1))
    } finally {
      rmSync(probe, { force: true })
    }
  })
}

export function readDriveFacts(stateDir: string): DriveFacts {
  const file = path.join(stateDir, DRIVE_FILE)
  let text: Buffer
  try {
    text = readSmall(file, STATE_FILE_BYTES_MAX)
  } catch (cause) {
    if (isCode(cause, 'malformed')) throw damaged(file, cause)
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new AppError('no-drive', `there is no drive in ${stateDir}`, {
        hint: 'shardrive init makes an account and a drive, shardrive recover brings one here from its phrase',
      })
    }
    throw new AppError('state-unreadable', `${file} cannot be read`, { cause })
  }
  const json: Static<typeof DriveJson> = undamaged(file, () => decodeJson(DriveJson, text, DRIVE_FILE))
  return {
    bridgeUrl: json.bridgeUrl,
    bridge: bridgeId(json.bridge),
    account: accountId(json.account),
    drive: driveId(json.drive),
    name: json.name,
    device: deviceId(json.device),
  }
}

/** The key file goes first: a drive.json without a key would be a drive that nobody can open. */
export async function writeDeviceKeys(
  stateDir: string,
  keys: DeviceKeys,
  random: RandomBytes,
  passphrase?: SecretBytes,
): Promise<void> {
  const keyFile = await encodeDeviceKeyFile(keys, random, passphrase === undefined ? undefined : { passphrase })
  explained(stateDir, () => {
    try {
      writeWhole(path.join(stateDir, DEVICE_KEY_FILE), keyFile)
    } finally {
      keyFile.fill(0)
    }
  })
}

/** With it the directory belongs to the drive. */
export function writeDriveFacts(stateDir: string, facts: DriveFacts): void {
  const text = `${JSON.stringify({ version: 1, ...facts }, null, 2)}\n`
  explained(stateDir, () => writeWhole(path.join(stateDir, DRIVE_FILE), text))
}

/** A key without a drive: an attempt to make or join one was cut short. */
export function isUnfinished(stateDir: string): boolean {
  return !hasDrive(stateDir) && existsSync(path.join(stateDir, DEVICE_KEY_FILE))
}

/** Its keys; null when there are none, or none that can be opened: then nothing is lost with them. */
export async function loadUnfinishedKeys(stateDir: string, passphrase?: SecretBytes): Promise<DeviceKeys | null> {
  if (!isUnfinished(stateDir)) return null
  try {
    return await readDeviceKeys(stateDir, passphrase)
  } catch (error) {
    if (error instanceof AppError && UNOPENED.has(error.code)) return null
    throw error
  }
}

export function deviceKeyNeedsPassphrase(stateDir: string): boolean {
  return undamaged(path.join(stateDir, DEVICE_KEY_FILE), () => deviceKeyFileIsProtected(readKeyFile(stateDir)))
}

/** `passphrase-needed`, `wrong-passphrase`, `state-damaged`. */
export async function readDeviceKeys(stateDir: string, passphrase?: SecretBytes): Promise<DeviceKeys> {
  try {
    return await decodeDeviceKeyFile(readKeyFile(stateDir), passphrase)
  } catch (error) {
    throw damaged(path.join(stateDir, DEVICE_KEY_FILE), error)
  }
}

function readKeyFile(stateDir: string): Buffer {
  const file = path.join(stateDir, DEVICE_KEY_FILE)
  try {
    return readSmall(file, STATE_FILE_BYTES_MAX)
  } catch (cause) {
    if (isCode(cause, 'malformed')) throw cause
    throw new AppError('state-unreadable', `${file} cannot be read`, {
      cause,
      hint: 'without its key this device cannot open the drive; shardrive recover makes a new device from the phrase',
    })
  }
}

function undamaged<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw damaged(file, error)
  }
}

function damaged(file: string, error: unknown): unknown {
  if (!isCode(error, 'malformed')) return error
  return new AppError('state-damaged', `${file} is damaged`, {
    cause: error,
    hint: 'bring the file back from a backup, or bring the drive into a new state directory: shardrive recover --state DIRECTORY',
  })
}
