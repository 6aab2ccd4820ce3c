/** Bodies of chain records, kind by kind (docs/format.md section 8). Decoders fail with `malformed` only. */
import { ByteReader } from '../base/byte-reader.js'
import { ByteWriter } from '../base/byte-writer.js'
import { WRAP_BYTES } from '../crypto/box-key.js'
import type { EpochBody } from '../model/chain.js'
import { type AccountId, accountId, type DeviceId, deviceId, idBytes, type SegmentId, segmentId } from '../model/ids.js'
import { isZero } from './signed-bytes.js'

/** Bit sets. Bit 0 of `incompatible` is this first format. */
export interface Features {
  compatible: bigint
  readOnlyCompatible: bigint
  incompatible: bigint
}

export interface GenesisBody {
  features: Features
  account: AccountId
  /** X25519 public key. */
  recoveryKey: Buffer
  device: DeviceId
  /** Key term 1, for the recovery key and for the first device. */
  recoveryWrap: Buffer
  deviceWrap: Buffer
  /** The label key, for the first device. */
  labelWrap: Buffer
}

export function encodeGenesis(body: GenesisBody): Buffer {
  const writer = new ByteWriter(24 + 96 + 3 * WRAP_BYTES)
  writeFeatures(writer, body.features)
  return writer
    .fixed(idBytes(body.account), 32)
    .fixed(body.recoveryKey, 32)
    .fixed(idBytes(body.device), 32)
    .fixed(body.recoveryWrap, WRAP_BYTES)
    .fixed(body.deviceWrap, WRAP_BYTES)
    .fixed(body.labelWrap, WRAP_BYTES)
    .bytes()
}

export function decodeGenesis(bytes: Uint8Array): GenesisBody {
  const reader = new ByteReader(bytes, 'genesis')
  const body: GenesisBody = {
    features: readFeatures(reader),
    account: accountId(reader.fixed(32)),
    recoveryKey: Buffer.from(reader.fixed(32)),
    device: deviceId(reader.fixed(32)),
    recoveryWrap: Buffer.from(reader.fixed(WRAP_BYTES)),
    deviceWrap: Buffer.from(reader.fixed(WRAP_BYTES)),
    labelWrap: Buffer.from(reader.fixed(WRAP_BYTES)),
  }
  reader.end()
  if (isZero(body.recoveryKey)) throw reader.malformed('no recovery key')
  return body
}

export interface DeviceAddBody {
  device: DeviceId
  /** Every key term so far, rising. */
  terms: { term: number; wrap: Buffer }[]
  labelWrap: Buffer
}

export function encodeDeviceAdd(body: DeviceAddBody): Buffer {
  const writer = new ByteWriter(32 + 2 + body.terms.length * (4 + WRAP_BYTES) + WRAP_BYTES)
  writer.fixed(idBytes(body.device), 32).u16(body.terms.length)
  for (const { term, wrap } of body.terms) writer.u32(term).fixed(wrap, WRAP_BYTES)
  return writer.fixed(body.labelWrap, WRAP_BYTES).bytes()
}

export function decodeDeviceAdd(bytes: Uint8Array): DeviceAddBody {
  const reader = new ByteReader(bytes, 'device-add')
  const device = deviceId(reader.fixed(32))
  const terms = readList(reader, reader.u16(), 4 + WRAP_BYTES, () => ({
    term: reader.u32(),
    wrap: Buffer.from(reader.fixed(WRAP_BYTES)),
  }))
  const labelWrap = Buffer.from(reader.fixed(WRAP_BYTES))
  reader.end()
  return { device, terms, labelWrap }
}

export function encodeDeviceRevoke(device: DeviceId): Buffer {
  return idBytes(device)
}

export function decodeDeviceRevoke(bytes: Uint8Array): DeviceId {
  const reader = new ByteReader(bytes, 'device-revoke')
  const device = deviceId(reader.fixed(32))
  reader.end()
  return device
}

export interface KeyTermBody {
  term: number
  recoveryWrap: Buffer
  /** One for each live device. */
  wraps: { device: DeviceId; wrap: Buffer }[]
}

export function encodeKeyTerm(body: KeyTermBody): Buffer {
  const writer = new ByteWriter(4 + WRAP_BYTES + 2 + body.wraps.length * (32 + WRAP_BYTES))
  writer.u32(body.term).fixed(body.recoveryWrap, WRAP_BYTES).u16(body.wraps.length)
  for (const { device, wrap } of body.wraps) writer.fixed(idBytes(device), 32).fixed(wrap, WRAP_BYTES)
  return writer.bytes()
}

export function decodeKeyTerm(bytes: Uint8Array): KeyTermBody {
  const reader = new ByteReader(bytes, 'key-term')
  const term = reader.u32()
  const recoveryWrap = Buffer.from(reader.fixed(WRAP_BYTES))
  const wraps = readList(reader, reader.u16(), 32 + WRAP_BYTES, () => ({
    device: deviceId(reader.fixed(32)),
    wrap: Buffer.from(reader.fixed(WRAP_BYTES)),
  }))
  reader.end()
  return { term, recoveryWrap, wraps }
}

export function encodeWriterTerm(term: number): Buffer {
  return new ByteWriter(8).u64(term).bytes()
}

export function decodeWriterTerm(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes, 'writer-term')
  const term = reader.u64()
  reader.end()
  return term
}

/** Body of epochs and snapshots. */
export function encodeEpoch(body: EpochBody): Buffer {
  const size = 8 + 24 + 4 + body.sealed.length + 8 + 32 * (body.confirm.length + body.retire.length)
  const writer = new ByteWriter(size)
  writer.u64(body.epoch).fixed(body.nonce, 24).u32(body.sealed.length).fixed(body.sealed, body.sealed.length)
  for (const list of [body.confirm, body.retire]) {
    writer.u32(list.length)
    for (const segment of list) writer.fixed(idBytes(segment), 32)
  }
  return writer.bytes()
}

/** `nonce` and `sealed` are views. */
export function decodeEpoch(bytes: Uint8Array): EpochBody {
  const reader = new ByteReader(bytes, 'epoch')
  const epoch = reader.u64()
  const nonce = reader.fixed(24)
  const sealed = reader.fixed(reader.u32())
  const readSegments = (): SegmentId[] => readList(reader, reader.u32(), 32, () => segmentId(reader.fixed(32)))
  const body = { epoch, nonce, sealed, confirm: readSegments(), retire: readSegments() }
  reader.end()
  return body
}

export function encodeFeatures(features: Features): Buffer {
  const writer = new ByteWriter(24)
  writeFeatures(writer, features)
  return writer.bytes()
}

export function decodeFeatures(bytes: Uint8Array): Features {
  const reader = new ByteReader(bytes, 'features')
  const features = readFeatures(reader)
  reader.end()
  return features
}

function writeFeatures(writer: ByteWriter, features: Features): void {
  for (const bits of [features.compatible, features.readOnlyCompatible, features.incompatible]) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(bits)
    writer.fixed(bytes, 8)
  }
}

function readFeatures(reader: ByteReader): Features {
  const bits = () => reader.fixed(8).readBigUInt64BE()
  return { compatible: bits(), readOnlyCompatible: bits(), incompatible: bits() }
}

/** A count is believed only when its items can be there: no memory for what was not sent. */
function readList<T>(reader: ByteReader, count: number, itemBytes: number, read: () => T): T[] {
  if (count * itemBytes > reader.remaining) throw reader.malformed(`a list of ${count}`)
  return Array.from({ length: count }, read)
}
