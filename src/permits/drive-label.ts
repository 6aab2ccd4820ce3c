/** Sealed drive names, as the bridge keeps them (docs/format.md section 8): one size for every name. */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { AppError } from '../base/errors.js'
import type { RandomBytes } from '../base/random.js'
import { openFresh, sealFresh } from '../crypto/aead.js'
import type { SecretBytes } from '../crypto/secret.js'
import { type DriveId, idBytes } from '../model/ids.js'
import { isZero } from './signed-bytes.js'

const PLAIN_BYTES = 256
export const DRIVE_NAME_BYTES_MAX = 200

/** 296 bytes. `drive-name`: empty or longer than 200 bytes of UTF-8. */
export function sealDriveLabel(labelKey: SecretBytes, drive: DriveId, name: string, random: RandomBytes): Buffer {
  const bytes = Buffer.from(name, 'utf8')
  if (bytes.length === 0 || bytes.length > DRIVE_NAME_BYTES_MAX) {
    throw new AppError('drive-name', `a drive name has 1 to ${DRIVE_NAME_BYTES_MAX} bytes`)
  }
  const plain = Buffer.alloc(PLAIN_BYTES)
  plain.set(new ByteWriter(PLAIN_BYTES).blob(bytes).bytes())
  return sealFresh(labelKey, random, plain, associatedOf(drive))
}

/** `seal-broken`: of another drive or another account's; `malformed`. */
export function openDriveLabel(labelKey: SecretBytes, drive: DriveId, label: Uint8Array): string {
  const reader = new ByteReader(openFresh(labelKey, label, associatedOf(drive)), 'drive label')
  const name = reader.text(DRIVE_NAME_BYTES_MAX)
  if (name === '' || !isZero(reader.fixed(reader.remaining))) throw reader.malformed('empty, or padding is not zero')
  return name
}

function associatedOf(drive: DriveId): Buffer {
  return new ByteWriter(21).fixed(Buffer.from('SDLB\x01', 'latin1'), 5).fixed(idBytes(drive), 16).bytes()
}
