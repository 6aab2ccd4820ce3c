/** SHA-256 by OpenSSL (SHA-NI where the machine has it); sodium's is several times slower. */
import { createHash, createHmac } from 'node:crypto'
import { SecretBytes } from './secret.js'

export const HASH_BYTES = 32

export function sha256(...parts: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** Key derivation: HMAC-SHA256(key, label || extra). */
export function hmacSha256(key: SecretBytes, label: string, extra?: Uint8Array): SecretBytes {
  return key.use((bytes) => {
    const hmac = createHmac('sha256', bytes).update(label, 'ascii')
    if (extra) hmac.update(extra)
    return SecretBytes.take(hmac.digest())
  })
}
