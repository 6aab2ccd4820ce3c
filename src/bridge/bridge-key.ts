/**
 * The bridge's identity: a seed in a file that only its owner reads (`bridge.key`, 0600: magic SDBK, version 1, seed
 * 32). Losing it means that no client knows this bridge any more; it is made once and never changed.
 */
import fs from 'node:fs'
import path from 'node:path'
import { AppError } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import { SecretBytes, wipeAfter } from '../crypto/secret.js'
import { SEED_BYTES, SigningKey } from '../crypto/signing-key.js'

const HEADER = Buffer.from('SDBK\x01', 'latin1')

/** The key in the folder, made on first use. `bridge-key-broken`, `bridge-key-open` (others can read it). */
export function loadBridgeKey(dir: string, random: RandomBytes): SigningKey {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = path.join(dir, 'bridge.key')
  if (!fs.existsSync(file)) makeKeyFile(file, random)
  const mode = fs.statSync(file).mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw new AppError('bridge-key-open', `${file} can be read by others`, { hint: `run: chmod 600 ${file}` })
  }
  const bytes = fs.readFileSync(file)
  const sound = bytes.length === HEADER.length + SEED_BYTES && bytes.subarray(0, HEADER.length).equals(HEADER)
  if (!sound) {
    throw new AppError('bridge-key-broken', `${file} is not a bridge key`, { hint: 'bring it back from a backup' })
  }
  const seed = SecretBytes.take(bytes.subarray(HEADER.length))
  return wipeAfter([seed], () => SigningKey.fromSeed(seed))
}

/** Whole and on disk before it has its name. */
function makeKeyFile(file: string, random: RandomBytes): void {
  const draft = `${file}.draft`
  fs.rmSync(draft, { force: true })
  const bytes = Buffer.concat([HEADER, random(SEED_BYTES)])
  const fd = fs.openSync(draft, 'wx', 0o600)
  try {
    fs.writeSync(fd, bytes)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
    bytes.fill(0)
  }
  fs.renameSync(draft, file)
  const folder = fs.openSync(path.dirname(file), 'r')
  fs.fsyncSync(folder)
  fs.closeSync(folder)
}
