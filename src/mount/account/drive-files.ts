/**
 * What a device keeps of its account and drive beside the ledger: `drive.json` (which bridge, which drive; nothing secret) and
 * `device.key` (docs/format.md section 2). Both 0600, written whole or not at all. The phrase and the account key are never here.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import Type, { type Static } from 'typebox'
import { AppError } from '../../base/errors.js'
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

export const DRIVE_FILE = 'drive.json'
export const DEVICE_KEY_FILE = 'device.key'

/** Whether this directory belongs to a drive already. */
export function hasDrive(stateDir: string): boolean {
  return existsSync(path.join(stateDir, DRIVE_FILE))
}

/** Makes the directory (0700) and proves that it can be written: `state-unwritable`. */
export function prepareStateDir(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    const probe = path.join(stateDir, '.writable')
    closeSync(openSync(probe, 'w', 0o600))
    rmSync(probe)
  } catch (cause) {
    throw new AppError('state-unwritable', `the state directory ${stateDir} cannot be written`, {
      cause,
      hint: 'choose another with --state, or correct its owner and permissions',
    })
  }
}

export function readDriveFacts(stateDir: string): DriveFacts {
  const file = path.join(stateDir, DRIVE_FILE)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new AppError('no-drive', `there is no drive in ${stateDir}`, {
        cause,
        hint: 'shardrive init makes an account and a drive, shardrive recover brings one here from its phrase',
      })
    }
    throw new AppError('state-unreadable', `${file} cannot be read`, { cause })
  }
  const json: Static<typeof DriveJson> = decodeJson(DriveJson, text, DRIVE_FILE)
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
export async function writeDriveFiles(
  stateDir: string,
  facts: DriveFacts,
  keys: DeviceKeys,
  random: RandomBytes,
  passphrase?: SecretBytes,
): Promise<void> {
  const keyFile = await encodeDeviceKeyFile(keys, random, passphrase === undefined ? undefined : { passphrase })
  try {
    writeWhole(path.join(stateDir, DEVICE_KEY_FILE), keyFile)
  } finally {
    keyFile.fill(0)
  }
  writeWhole(path.join(stateDir, DRIVE_FILE), Buffer.from(`${JSON.stringify({ version: 1, ...facts }, null, 2)}\n`))
}

export function deviceKeyNeedsPassphrase(stateDir: string): boolean {
  return deviceKeyFileIsProtected(readKeyFile(stateDir))
}

/** `passphrase-needed`, `wrong-passphrase`, `malformed`. */
export async function readDeviceKeys(stateDir: string, passphrase?: SecretBytes): Promise<DeviceKeys> {
  return decodeDeviceKeyFile(readKeyFile(stateDir), passphrase)
}

function readKeyFile(stateDir: string): Buffer {
  const file = path.join(stateDir, DEVICE_KEY_FILE)
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new AppError('state-unreadable', `${file} cannot be read`, {
      cause,
      hint: 'without its key this device cannot open the drive; shardrive recover makes a new device from the phrase',
    })
  }
}

function writeWhole(file: string, bytes: Buffer): void {
  const draft = `${file}.new`
  const fd = openSync(draft, 'w', 0o600)
  try {
    writeSync(fd, bytes)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  chmodSync(draft, 0o600)
  renameSync(draft, file)
  const dir = openSync(path.dirname(file), 'r')
  try {
    fsyncSync(dir)
  } finally {
    closeSync(dir)
  }
}
