import { AppError } from '../base/errors.js'

/** Branded ids: lower-case hex in TypeScript (keys of maps, JSON), raw bytes in formats. Shapes: docs/format.md section 1. */
type Branded<Name extends string> = string & { readonly __id: Name }

export type AccountId = Branded<'account'>
export type DeviceId = Branded<'device'>
export type HostId = Branded<'host'>
export type BridgeId = Branded<'bridge'>
export type DriveId = Branded<'drive'>
export type FileId = Branded<'file'>
export type SegmentId = Branded<'segment'>
export type ShardId = Branded<'shard'>
export type Serial = Branded<'serial'>
export type Pseudonym = Branded<'pseudonym'>
/** Any Ed25519 identity that can hold a token or sign a description. */
export type PeerId = DeviceId | HostId | BridgeId

const HEX_32 = /^[0-9a-f]{64}$/
const HEX_16 = /^[0-9a-f]{32}$/

function idParser<T extends string>(name: string, pattern: RegExp) {
  return (value: unknown): T => {
    if (typeof value === 'string' && pattern.test(value)) return value as T
    if (value instanceof Uint8Array) {
      const hex = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
      if (pattern.test(hex)) return hex as T
    }
    throw new AppError('malformed', `not a ${name} id`)
  }
}

export const accountId = idParser<AccountId>('account', HEX_32)
export const deviceId = idParser<DeviceId>('device', HEX_32)
export const hostId = idParser<HostId>('host', HEX_32)
export const bridgeId = idParser<BridgeId>('bridge', HEX_32)
export const peerId = idParser<PeerId>('peer', HEX_32)
export const driveId = idParser<DriveId>('drive', HEX_16)
export const fileId = idParser<FileId>('file', HEX_16)
export const segmentId = idParser<SegmentId>('segment', HEX_32)
export const shardId = idParser<ShardId>('shard', HEX_32)
export const serialId = idParser<Serial>('serial', HEX_16)
export const pseudonymId = idParser<Pseudonym>('pseudonym', HEX_16)

/** The raw bytes of an id, fresh buffer. */
export function idBytes(id: string): Buffer {
  return Buffer.from(id, 'hex')
}

export const ROOT_FILE = '0'.repeat(32) as FileId
