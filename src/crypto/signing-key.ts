/** Ed25519 identities: accounts, devices, hosts and bridges are public keys (docs/format.md section 1). */
import sodium from 'sodium-native'
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { RandomBytes } from '../base/random.js'
import { BoxKey } from './box-key.js'
import { SecretBytes } from './secret.js'

export const SIGNATURE_BYTES = 64
export const PUBLIC_KEY_BYTES = 32
export const SEED_BYTES = 32

export class SigningKey {
  readonly publicKey: Buffer
  /** The public key in lower-case hex: parse it with the id function that fits (deviceId, hostId, ...). */
  readonly id: string
  readonly #secretKey: SecretBytes

  private constructor(publicKey: Buffer, secretKey: SecretBytes) {
    this.publicKey = publicKey
    this.id = hexOf(publicKey)
    this.#secretKey = secretKey
  }

  /** The seed stays the caller's to wipe. */
  static fromSeed(seed: SecretBytes): SigningKey {
    assert(seed.size === SEED_BYTES, 'a signing seed has 32 bytes')
    const publicKey = Buffer.alloc(PUBLIC_KEY_BYTES)
    const secretKey = SecretBytes.make(sodium.crypto_sign_SECRETKEYBYTES, (room) => {
      seed.use((bytes) => sodium.crypto_sign_seed_keypair(publicKey, room, bytes))
    })
    return new SigningKey(publicKey, secretKey)
  }

  static random(random: RandomBytes): SigningKey {
    const seed = SecretBytes.random(SEED_BYTES, random)
    const key = SigningKey.fromSeed(seed)
    seed.wipe()
    return key
  }

  /** 64 bytes; deterministic. */
  sign(message: Uint8Array): Buffer {
    const signature = Buffer.alloc(SIGNATURE_BYTES)
    this.#secretKey.use((key) => sodium.crypto_sign_detached(signature, asBuffer(message), key))
    return signature
  }

  /** The X25519 key pair that belongs to this identity: wraps to a device are sealed to its public half. */
  boxKey(): BoxKey {
    const secretKey = SecretBytes.make(sodium.crypto_box_SECRETKEYBYTES, (room) => {
      this.#secretKey.use((key) => sodium.crypto_sign_ed25519_sk_to_curve25519(room, key))
    })
    return BoxKey.fromKeyPair(boxPublicKeyOf(this.publicKey), secretKey)
  }

  wipe(): void {
    this.#secretKey.wipe()
  }
}

/** True when `signature` is `publicKey`'s over `message`. Wrong lengths and weak keys are false, never an exception. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  return sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(message), asBuffer(publicKey))
}

/** Ed25519 public key to X25519. A key that is no point of the main subgroup is `malformed`. */
export function boxPublicKeyOf(publicKey: Uint8Array): Buffer {
  const converted = Buffer.alloc(sodium.crypto_box_PUBLICKEYBYTES)
  try {
    sodium.crypto_sign_ed25519_pk_to_curve25519(converted, asBuffer(publicKey))
  } catch {
    throw new AppError('malformed', 'not an Ed25519 public key')
  }
  return converted
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
