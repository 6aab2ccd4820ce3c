/**
 * The bridge's identity: a seed in a file that only its owner reads (`bridge.key`, 0600: magic SDBK, version 1, seed
 * 32). Losing it means that no client knows this bridge any more; it is made once and never changed.
 */
import fs from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { explained, makeFolder, readSmall, writeWhole } from '../base/folders.js'
import type { RandomBytes } from '../base/random.js'
import { SecretBytes, wipeAfter } from '../crypto/secret.js'
import { SEED_BYTES, SigningKey } from '../crypto/signing-key.js'

const HEADER = Buffer.from('SDBK\x01', 'latin1')

/** The key in the folder (a worker's has another name), made on first use. `bridge-key-broken`, `bridge-key-open` (others can read it). */
export function loadBridgeKey(dir: string, random: RandomBytes, name = 'bridge.key'): SigningKey {
  const file = path.join(dir, name)
  explained(dir, () => {
    makeFolder(dir)
    if (!fs.existsSync(file)) makeKeyFile(file, random)
  })
  const mode = fs.statSync(file).mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw new AppError('bridge-key-open', `${file} can be read by others`, { hint: `run: chmod 600 ${file}` })
  }
  const bytes = readKeyFile(file)
  const sound = bytes?.length === HEADER.length + SEED_BYTES && bytes.subarray(0, HEADER.length).equals(HEADER)
  if (!sound) {
    throw new AppError('bridge-key-broken', `${file} is not a bridge key`, { hint: 'bring it back from a backup' })
  }
  const seed = SecretBytes.take(bytes.subarray(HEADER.length))
  return wipeAfter([seed], () => SigningKey.fromSeed(seed))
}

/** Null when it is no file of that size. */
function readKeyFile(file: string): Buffer | null {
  try {
    return readSmall(file, HEADER.length + SEED_BYTES)
  } catch (cause) {
    if (isCode(cause, 'malformed')) return null
    throw new AppError('state-unreadable', `${file} cannot be read`, { cause })
  }
}

function makeKeyFile(file: string, random: RandomBytes): void {
  const bytes = Buffer.concat([HEADER, random(SEED_BYTES)])
  try {
    writeWhole(file, bytes)
  } finally {
    bytes.fill(0)
  }
}
