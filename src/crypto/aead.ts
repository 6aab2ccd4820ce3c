/** XChaCha20-Poly1305 with associated data. Nonces are 24 bytes: random ones never meet. */
import sodium from 'sodium-native'
import { assert } from '../base/assert.js'
import { AppError } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import type { SecretBytes } from './secret.js'

export const NONCE_BYTES = 24
export const TAG_BYTES = 16

/** Ciphertext || tag. */
export function seal(key: SecretBytes, nonce: Uint8Array, plain: Uint8Array, associated: Uint8Array): Buffer {
  assert(nonce.length === NONCE_BYTES, 'nonce size')
  const sealed = Buffer.allocUnsafe(plain.length + TAG_BYTES)
  key.use((bytes) =>
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, view(plain), view(associated), null, view(nonce), bytes),
  )
  return sealed
}

/** The plain bytes, or `seal-broken`: other key, other associated data, or changed bytes. `allocate` makes room for them. */
export function open(
  key: SecretBytes,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
  allocate: (size: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  assert(nonce.length === NONCE_BYTES, 'nonce size')
  if (sealed.length < TAG_BYTES) throw broken()
  const plain = allocate(sealed.length - TAG_BYTES)
  openInto(plain, key, nonce, sealed, associated)
  return plain
}

/** As `open`, into memory of the caller (guarded memory for keys). */
export function openInto(
  room: Buffer,
  key: SecretBytes,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): void {
  assert(room.length === sealed.length - TAG_BYTES, 'room for the plain bytes')
  key.use((bytes) => {
    try {
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(room, null, view(sealed), view(associated), view(nonce), bytes)
    } catch {
      throw broken()
    }
  })
}

/**
 * Nonce || ciphertext || tag, the nonce fresh. With `room` (40 bytes more than the plain ones, or larger) the result lies there:
 * for who seals one thing after the other and wants no fresh memory for each.
 */
export function sealFresh(
  key: SecretBytes,
  random: RandomBytes,
  plain: Uint8Array,
  associated: Uint8Array,
  room?: Buffer,
): Buffer {
  const nonce = random(NONCE_BYTES)
  const size = NONCE_BYTES + plain.length + TAG_BYTES
  assert(room === undefined || room.length >= size, 'room for the sealed bytes')
  const sealed = room?.subarray(0, size) ?? Buffer.allocUnsafe(size)
  sealed.set(nonce)
  key.use((bytes) => {
    const rest = sealed.subarray(NONCE_BYTES)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(rest, view(plain), view(associated), null, nonce, bytes)
  })
  return sealed
}

/** Opens what `sealFresh` made; `seal-broken` otherwise. `allocate` as for open(). */
export function openFresh(
  key: SecretBytes,
  sealed: Uint8Array,
  associated: Uint8Array,
  allocate?: (size: number) => Buffer,
): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw broken()
  return open(key, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), associated, allocate)
}

function broken(): AppError {
  return new AppError('seal-broken', 'sealed bytes do not open: wrong key or changed bytes')
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
