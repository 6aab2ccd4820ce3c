/** X25519 key pairs and wraps: 32-byte keys in a libsodium sealed box, 80 bytes (docs/format.md section 2). */
import sodium from 'sodium-native'
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'
import { SecretBytes } from './secret.js'

export const WRAP_BYTES = 80
export const WRAPPED_KEY_BYTES = 32

export class BoxKey {
  readonly publicKey: Buffer
  readonly #secretKey: SecretBytes

  private constructor(publicKey: Buffer, secretKey: SecretBytes) {
    this.publicKey = publicKey
    this.#secretKey = secretKey
  }

  /** Takes ownership of the secret key. */
  static fromKeyPair(publicKey: Buffer, secretKey: SecretBytes): BoxKey {
    return new BoxKey(publicKey, secretKey)
  }

  /** The seed stays the caller's to wipe. */
  static fromSeed(seed: SecretBytes): BoxKey {
    assert(seed.size === sodium.crypto_box_SEEDBYTES, 'a box seed has 32 bytes')
    const publicKey = Buffer.alloc(sodium.crypto_box_PUBLICKEYBYTES)
    const secretKey = SecretBytes.make(sodium.crypto_box_SECRETKEYBYTES, (room) => {
      seed.use((bytes) => sodium.crypto_box_seed_keypair(publicKey, room, bytes))
    })
    return new BoxKey(publicKey, secretKey)
  }

  /** Opens a wrap. `wrap-broken`: sealed to another key, or damaged. */
  unwrap(wrap: Uint8Array): SecretBytes {
    if (wrap.length !== WRAP_BYTES)
      throw new AppError('wrap-broken', `a wrap has ${WRAP_BYTES} bytes, not ${wrap.length}`)
    return SecretBytes.make(WRAPPED_KEY_BYTES, (room) => {
      const opened = this.#secretKey.use((key) => {
        return sodium.crypto_box_seal_open(room, Buffer.from(wrap), this.publicKey, key)
      })
      if (!opened) throw new AppError('wrap-broken', 'the wrapped key was not sealed to this key')
    })
  }

  wipe(): void {
    this.#secretKey.wipe()
  }
}

/** Seals a 32-byte key to an X25519 public key. Fresh randomness each time. `malformed`: no usable public key. */
export function wrapKey(key: SecretBytes, boxPublicKey: Uint8Array): Buffer {
  assert(key.size === WRAPPED_KEY_BYTES, 'wraps hold 32-byte keys')
  const wrap = Buffer.alloc(WRAP_BYTES)
  try {
    key.use((bytes) => sodium.crypto_box_seal(wrap, bytes, Buffer.from(boxPublicKey)))
  } catch {
    throw new AppError('malformed', 'not an X25519 public key')
  }
  return wrap
}
