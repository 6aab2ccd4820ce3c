/**
 * The name of a drive as the bridge keeps it: sealed with the label key, always 160 bytes, so that it tells nothing.
 * Layout: nonce 24 || sealed (length u8 || UTF-8 name || zeros to 120) || tag 16.
 */
import { AppError } from '../../base/errors.js'
import type { RandomBytes } from '../../base/random.js'
import { openFresh, sealFresh } from '../../crypto/aead.js'
import type { SecretBytes } from '../../crypto/secret.js'
import { type DriveId, idBytes } from '../../model/ids.js'

const PLAIN_BYTES = 120
const NAME_BYTES_MAX = PLAIN_BYTES - 1

export function sealLabel(labelKey: SecretBytes, drive: DriveId, name: string, random: RandomBytes): Buffer {
  const text = Buffer.from(name, 'utf8')
  if (text.length === 0 || text.length > NAME_BYTES_MAX || /[\u0000-\u001f\u007f/]/.test(name)) {
    throw new AppError('usage', `a drive name has 1 to ${NAME_BYTES_MAX} bytes, no '/' and no control characters`)
  }
  const plain = Buffer.alloc(PLAIN_BYTES)
  plain[0] = text.length
  plain.set(text, 1)
  return sealFresh(labelKey, random, plain, associated(drive))
}

/** `seal-broken` when it is another drive's, or not from this account. */
export function openLabel(labelKey: SecretBytes, drive: DriveId, label: Uint8Array): string {
  const plain = openFresh(labelKey, label, associated(drive))
  const length = plain[0] ?? 0
  if (plain.length !== PLAIN_BYTES || length === 0 || length > NAME_BYTES_MAX) throw new AppError('malformed', 'drive label')
  return plain.subarray(1, 1 + length).toString('utf8')
}

function associated(drive: DriveId): Buffer {
  return Buffer.concat([Buffer.from('SDLB\x01', 'latin1'), idBytes(drive)])
}
