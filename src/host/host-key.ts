/** The file `host.key`: magic `SDHK`, version u8 = 1, Ed25519 seed 32; mode 0600. */
import { ByteReader } from '../base/byte-reader.js'
import { AppError } from '../base/errors.js'
import { SecretBytes } from '../crypto/secret.js'
import { SEED_BYTES } from '../crypto/signing-key.js'

const MAGIC = 'SDHK'
const VERSION = 1

/** The caller zeroes it after use. */
export function encodeHostKey(seed: SecretBytes): Buffer {
  const encoded = Buffer.alloc(MAGIC.length + 1 + SEED_BYTES)
  encoded.write(MAGIC, 'latin1')
  encoded[MAGIC.length] = VERSION
  seed.use((bytes) => bytes.copy(encoded, MAGIC.length + 1))
  return encoded
}

/** `malformed`, `unsupported-version`. The seed is moved out of `encoded`; `name` is the file's, for messages. */
export function decodeHostKey(encoded: Buffer, name = 'host key file'): SecretBytes {
  const reader = new ByteReader(encoded, name)
  reader.expectMagic(MAGIC)
  const version = reader.u8()
  if (version > VERSION) throw new AppError('unsupported-version', `the host key file has version ${version}`)
  if (version !== VERSION) throw reader.malformed('version')
  const seed = reader.fixed(SEED_BYTES)
  reader.end()
  return SecretBytes.take(seed)
}
