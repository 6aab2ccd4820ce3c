/** Staged rows and cached units at rest (docs/format.md section 10): nonce 24 || ciphertext || tag 16. */
import { ByteWriter } from '../base/byte-writer.js'
import type { RandomBytes } from '../base/random.js'
import { idBytes, type SegmentId } from '../model/ids.js'
import { UNIT_BYTES } from '../model/segment.js'
import { NONCE_BYTES, openFresh, sealFresh, TAG_BYTES } from './aead.js'
import type { SecretBytes } from './secret.js'

/** Bytes that a row at rest is longer than its content. */
export const AT_REST_OVERHEAD = NONCE_BYTES + TAG_BYTES
export const SEALED_UNIT_BYTES_MAX = UNIT_BYTES + AT_REST_OVERHEAD

const STAGED = Buffer.from('SDST\x01', 'latin1')
const CACHED = Buffer.from('SDCU\x01', 'latin1')

/** `room` as for sealFresh. */
export function sealStaged(
  stagedKey: SecretBytes,
  stagedId: number,
  plain: Uint8Array,
  random: RandomBytes,
  room?: Buffer,
): Buffer {
  return sealFresh(stagedKey, random, plain, stagedAssociated(stagedId), room)
}

/** Into memory of its own. `seal-broken`: damaged, or the row of another id. */
export function openStaged(stagedKey: SecretBytes, stagedId: number, sealed: Uint8Array): Buffer {
  return openFresh(stagedKey, sealed, stagedAssociated(stagedId), Buffer.allocUnsafeSlow)
}

/** `room` as for sealFresh. */
export function sealCached(
  cacheKey: SecretBytes,
  segment: SegmentId,
  unit: number,
  plain: Uint8Array,
  random: RandomBytes,
  room?: Buffer,
): Buffer {
  return sealFresh(cacheKey, random, plain, cachedAssociated(segment, unit), room)
}

/** `seal-broken`: damaged, or another unit. */
export function openCached(cacheKey: SecretBytes, segment: SegmentId, unit: number, sealed: Uint8Array): Buffer {
  return openFresh(cacheKey, sealed, cachedAssociated(segment, unit))
}

function stagedAssociated(stagedId: number): Buffer {
  return new ByteWriter(13).fixed(STAGED, 5).u64(stagedId).bytes()
}

function cachedAssociated(segment: SegmentId, unit: number): Buffer {
  return new ByteWriter(41).fixed(CACHED, 5).fixed(idBytes(segment), 32).u32(unit).bytes()
}
