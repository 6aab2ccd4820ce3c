import { SecretBytes } from '../../src/crypto/secret.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { noiseBytes } from './noise.js'

export function secretOf(bytes: Uint8Array | string): SecretBytes {
  return SecretBytes.take(Buffer.from(typeof bytes === 'string' ? Buffer.from(bytes, 'hex') : bytes))
}

/** What a secret holds, for comparing. */
export function revealed(secret: SecretBytes): string {
  return secret.use((bytes) => bytes.toString('hex'))
}

/** The same identity everywhere for one seed. */
export function keyOf(seed: number | string): SigningKey {
  return SigningKey.fromSeed(secretOf(typeof seed === 'number' ? noiseBytes(seed, 32) : seed))
}
