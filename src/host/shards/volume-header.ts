/** The first 64 bytes of a volume file (docs/format.md section 11). */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import { hmacSha256 } from '../../crypto/hash.js'
import { type SecretBytes, wipeAfter } from '../../crypto/secret.js'
import { type HostId, hostId, idBytes } from '../../model/ids.js'
import { VOLUME_HEADER_BYTES } from './offsets.js'

export const VOLUME_MAGIC = 'SDVF'
const VERSION = 1

export interface VolumeHeader {
  host: HostId
  number: number
  createdMs: number
}

export function encodeVolumeHeader(header: VolumeHeader): Buffer {
  return new ByteWriter(VOLUME_HEADER_BYTES)
    .fixed(Buffer.from(VOLUME_MAGIC, 'latin1'), 4)
    .u8(VERSION)
    .fixed(Buffer.alloc(3), 3)
    .fixed(idBytes(header.host), 32)
    .u32(header.number)
    .u64(header.createdMs)
    .fixed(Buffer.alloc(12), 12)
    .bytes()
}

/**
 * 'ours'; 'foreign' when it names another host or number; else 'damaged' (records are still known by their keyed
 * checksums). `unsupported-version` when everything fits but a newer program wrote it.
 */
export function inspectVolumeHeader(bytes: Buffer, host: HostId, number: number): 'ours' | 'foreign' | 'damaged' {
  if (bytes.length < VOLUME_HEADER_BYTES || bytes.toString('latin1', 0, 4) !== VOLUME_MAGIC) return 'damaged'
  if (hostId(bytes.subarray(8, 40)) !== host || bytes.readUInt32BE(40) !== number) return 'foreign'
  const version = bytes.readUInt8(4)
  if (version > VERSION) {
    throw new AppError('unsupported-version', `volume ${number} has version ${version}`, {
      hint: 'use the newer shardrive that wrote it',
    })
  }
  return version === VERSION ? 'ours' : 'damaged'
}

/** The key of the checksums of one volume. The seed is the secret of `host.key`. */
export function volumeKey(seed: SecretBytes, number: number): KeyObject {
  const numberBytes = Buffer.alloc(4)
  numberBytes.writeUInt32BE(number)
  const derived = hmacSha256(seed, 'shardrive/v1/volume', numberBytes)
  return wipeAfter([derived], () => derived.use((bytes) => createSecretKey(bytes)))
}
