/** Every key of docs/format.md section 2, one function each. Arguments stay the caller's to wipe; results are new. */
import { assert } from '../base/assert.js'
import type { RandomBytes } from '../base/random.js'
import { idBytes, type SegmentId } from '../model/ids.js'
import { BoxKey } from './box-key.js'
import { hmacSha256 } from './hash.js'
import { SecretBytes, wipeAfter } from './secret.js'
import { SEED_BYTES, SigningKey } from './signing-key.js'

export const PHRASE_SEED_BYTES = 64
export const KEY_BYTES = 32

export function deriveAccountKey(phraseSeed: SecretBytes): SigningKey {
  assert(phraseSeed.size === PHRASE_SEED_BYTES, 'a phrase seed has 64 bytes')
  const seed = hmacSha256(phraseSeed, 'shardrive/v1/account')
  return wipeAfter([seed], () => SigningKey.fromSeed(seed))
}

export function deriveRecoverySeed(phraseSeed: SecretBytes): SecretBytes {
  assert(phraseSeed.size === PHRASE_SEED_BYTES, 'a phrase seed has 64 bytes')
  return hmacSha256(phraseSeed, 'shardrive/v1/recovery')
}

export function deriveRecoveryKey(phraseSeed: SecretBytes): BoxKey {
  const seed = deriveRecoverySeed(phraseSeed)
  return wipeAfter([seed], () => BoxKey.fromSeed(seed))
}

export function deriveLabelKey(phraseSeed: SecretBytes): SecretBytes {
  const seed = deriveRecoverySeed(phraseSeed)
  return wipeAfter([seed], () => hmacSha256(seed, 'shardrive/v1/label'))
}

export interface PhraseKeys {
  account: SigningKey
  recovery: BoxKey
  label: SecretBytes
  wipe(): void
}

/** All that a phrase gives. For init, recover, device add and revoke; wiped straight after. */
export function derivePhraseKeys(phraseSeed: SecretBytes): PhraseKeys {
  const account = deriveAccountKey(phraseSeed)
  const recovery = deriveRecoveryKey(phraseSeed)
  const label = deriveLabelKey(phraseSeed)
  const wipe = () => {
    account.wipe()
    recovery.wipe()
    label.wipe()
  }
  return { account, recovery, label, wipe }
}

/** 16 bytes: the same name of the same account gives the same drive, and says nothing to who does not have the key. */
export function deriveDriveId(labelKey: SecretBytes, name: string): Buffer {
  const id = hmacSha256(labelKey, 'shardrive/v1/drive', Buffer.from(name, 'utf8'))
  return wipeAfter([id], () => id.use((bytes) => Buffer.from(bytes.subarray(0, 16))))
}

export function drawDeviceSeed(random: RandomBytes): SecretBytes {
  return SecretBytes.random(SEED_BYTES, random)
}

export function deriveLocalKey(deviceSeed: SecretBytes): SecretBytes {
  return hmacSha256(deviceSeed, 'shardrive/v1/local')
}

export function deriveStagedKey(localKey: SecretBytes): SecretBytes {
  return hmacSha256(localKey, 'staged')
}

export function deriveCacheKey(localKey: SecretBytes): SecretBytes {
  return hmacSha256(localKey, 'cache')
}

export function drawTermKey(random: RandomBytes): SecretBytes {
  return SecretBytes.random(KEY_BYTES, random)
}

export function deriveSegmentKey(termKey: SecretBytes, segment: SegmentId): SecretBytes {
  return hmacSha256(termKey, 'shardrive/v1/segment', idBytes(segment))
}

export function deriveBatchKey(termKey: SecretBytes): SecretBytes {
  return hmacSha256(termKey, 'shardrive/v1/batch')
}
