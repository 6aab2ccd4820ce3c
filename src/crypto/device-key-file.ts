/**
 * The file `device.key` (docs/format.md section 2): the device seed and the label key, bare (file mode 0600 protects
 * them) or sealed under a passphrase with Argon2id and XChaCha20-Poly1305.
 *
 * The Argon2id parameters come from the file, so a hostile file could ask for any amount of memory and time: they are
 * bounded before the derivation starts. Errors: `malformed`, `unsupported-version`, `passphrase-needed`, `wrong-passphrase`.
 */
import sodium from 'sodium-native'
import { assert } from '../base/assert.js'
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError, isCode } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import { NONCE_BYTES, openInto, seal, TAG_BYTES } from './aead.js'
import { SecretBytes, wipeAfter } from './secret.js'

export interface DeviceKeys {
  seed: SecretBytes
  labelKey: SecretBytes
}

export interface PassphraseCost {
  /** Passes over the memory. */
  opsLimit: number
  memoryKiB: number
}

/** 0.5 s and 256 MiB on a 2023 server core: hurts a guesser, not a mount. */
export const PASSPHRASE_COST: PassphraseCost = { opsLimit: 3, memoryKiB: 262_144 }

const OPS_MAX = 16
const MEMORY_KIB_MIN = 8
const MEMORY_KIB_MAX = 1_048_576
const MAGIC = 'SDKF'
const VERSION = 1
const HEADER_BYTES = 54
const SALT_BYTES = 16
const SECRET_BYTES = 64

/** The keys stay the caller's. Without a passphrase the bytes are as secret as the keys: write them with mode 0600. */
export async function encodeDeviceKeyFile(
  keys: DeviceKeys,
  random: RandomBytes,
  protection?: { passphrase: SecretBytes; cost?: PassphraseCost },
): Promise<Buffer> {
  const plain = SecretBytes.make(SECRET_BYTES, (room) => {
    keys.seed.use((bytes) => room.set(bytes, 0))
    keys.labelKey.use((bytes) => room.set(bytes, 32))
  })
  return wipeAfter([plain], async () => {
    if (!protection) {
      const file = header(0, { opsLimit: 0, memoryKiB: 0 }, Buffer.alloc(SALT_BYTES), Buffer.alloc(NONCE_BYTES))
      return plain.use((bytes) => file.blob(bytes).bytes())
    }
    const cost = protection.cost ?? PASSPHRASE_COST
    assert(costAllowed(cost), 'passphrase cost outside of the limits')
    const salt = random(SALT_BYTES)
    const nonce = random(NONCE_BYTES)
    const key = await stretch(protection.passphrase, salt, cost)
    return wipeAfter([key], () => {
      const file = header(1, cost, salt, nonce)
      const associated = Buffer.from(file.bytes())
      return file.blob(plain.use((bytes) => seal(key, nonce, bytes, associated))).bytes()
    })
  })
}

/** Does a file need a passphrase? Checks the header only. */
export function deviceKeyFileIsProtected(file: Uint8Array): boolean {
  return readHeader(new ByteReader(file, 'device key file')).protection === 1
}

export async function decodeDeviceKeyFile(file: Uint8Array, passphrase?: SecretBytes): Promise<DeviceKeys> {
  const reader = new ByteReader(file, 'device key file')
  const { protection, cost, salt, nonce } = readHeader(reader)
  const associated = Buffer.from(file.subarray(0, HEADER_BYTES))
  const body = reader.blob(SECRET_BYTES + TAG_BYTES)
  reader.end()
  if (body.length !== SECRET_BYTES + (protection === 1 ? TAG_BYTES : 0)) throw reader.malformed('body length')
  if (protection === 0) return splitKeys(SecretBytes.make(SECRET_BYTES, (room) => room.set(body)))
  if (!passphrase) throw new AppError('passphrase-needed', 'the device key is protected by a passphrase')
  const key = await stretch(passphrase, Buffer.from(salt), cost)
  return wipeAfter([key], () => {
    try {
      return splitKeys(SecretBytes.make(SECRET_BYTES, (room) => openInto(room, key, nonce, body, associated)))
    } catch (error) {
      if (!isCode(error, 'seal-broken')) throw error
      throw new AppError('wrong-passphrase', 'the passphrase does not open the device key')
    }
  })
}

function splitKeys(plain: SecretBytes): DeviceKeys {
  return wipeAfter([plain], () =>
    plain.use((bytes) => ({
      seed: SecretBytes.make(32, (room) => room.set(bytes.subarray(0, 32))),
      labelKey: SecretBytes.make(32, (room) => room.set(bytes.subarray(32))),
    })),
  )
}

function header(protection: number, cost: PassphraseCost, salt: Buffer, nonce: Buffer): ByteWriter {
  return new ByteWriter(HEADER_BYTES + 1 + SECRET_BYTES + TAG_BYTES)
    .fixed(Buffer.from(MAGIC), 4)
    .u8(VERSION)
    .u8(protection)
    .u32(cost.opsLimit)
    .u32(cost.memoryKiB)
    .fixed(salt, SALT_BYTES)
    .fixed(nonce, NONCE_BYTES)
}

function readHeader(reader: ByteReader) {
  reader.expectMagic(MAGIC)
  const version = reader.u8()
  if (version > VERSION) throw new AppError('unsupported-version', `device key file of version ${version}`)
  if (version !== VERSION) throw reader.malformed('version')
  const protection = reader.u8()
  if (protection > 1) throw reader.malformed('unknown protection')
  const cost = { opsLimit: reader.u32(), memoryKiB: reader.u32() }
  const salt = reader.fixed(SALT_BYTES)
  const nonce = reader.fixed(NONCE_BYTES)
  if (protection === 1 && !costAllowed(cost)) throw reader.malformed('Argon2id parameters outside of the limits')
  const zero = cost.opsLimit === 0 && cost.memoryKiB === 0 && isZero(salt) && isZero(nonce)
  if (protection === 0 && !zero) throw reader.malformed('parameters without protection')
  return { protection, cost, salt, nonce }
}

function costAllowed(cost: PassphraseCost): boolean {
  const { opsLimit, memoryKiB } = cost
  return opsLimit >= 1 && opsLimit <= OPS_MAX && memoryKiB >= MEMORY_KIB_MIN && memoryKiB <= MEMORY_KIB_MAX
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/** Argon2id on a thread of libuv's pool. */
function stretch(passphrase: SecretBytes, salt: Buffer, cost: PassphraseCost): Promise<SecretBytes> {
  const memoryBytes = cost.memoryKiB * 1_024
  return passphrase.use(async (bytes) => {
    // The derivation must not outlive its memory: results land in a plain buffer that is moved and zeroed.
    const out = Buffer.alloc(32)
    await new Promise<void>((resolve, reject) => {
      sodium.crypto_pwhash_async(
        out,
        bytes,
        salt,
        cost.opsLimit,
        memoryBytes,
        sodium.crypto_pwhash_ALG_ARGON2ID13,
        (error) => {
          if (error)
            reject(new AppError('out-of-memory', 'not enough memory to check the passphrase', { retry: 'later' }))
          else resolve()
        },
      )
    })
    return SecretBytes.take(out)
  })
}
