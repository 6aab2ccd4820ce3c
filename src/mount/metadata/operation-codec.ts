/**
 * Operations as bytes and back (docs/format.md section 9). Encoding trusts its input; decoding trusts nothing:
 * `malformed` for bytes that are no operation, `unsupported-version` for a newer batch or an unknown kind.
 */
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import { type FileId, idBytes, type SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { hasSoundLengths } from '../../segment/layout.js'
import * as o from './operations.js'
import type { FileTime } from './types.js'

const NS = 1_000_000_000n
const MASK = { mode: 1, uid: 2, gid: 4, atime: 8, mtime: 16, ctime: 32, size: 64 } as const
const MASK_ALL = 127
/** A name op of 255 bytes, twice, or an xattr of 64 KiB: the largest body there is, rounded up. */
const BODY_BYTES_MAX = 70_000

export function timeToNs(time: FileTime): bigint {
  return BigInt(time.sec) * NS + BigInt(time.nsec)
}

export function nsToTime(ns: bigint): FileTime {
  const nsec = ((ns % NS) + NS) % NS
  return { sec: Number((ns - nsec) / NS), nsec: Number(nsec) }
}

/** One operation: kind u8, blob body. `body` is scratch that the caller may reuse. */
export function encodeOperation(into: ByteWriter, operation: o.Operation): void {
  const body = new ByteWriter(128)
  encodeBody(body, operation)
  into.u8(operation.kind).blob(body.bytes())
}

function time(w: ByteWriter, value: FileTime): ByteWriter {
  return w.i64(timeToNs(value))
}

function file(w: ByteWriter, id: FileId): ByteWriter {
  return w.fixed(idBytes(id), 16)
}

function encodeBody(w: ByteWriter, op: o.Operation): void {
  switch (op.kind) {
    case o.KIND.stagedWrite:
      time(file(w, op.file).u64(op.offset).u32(op.length).u64(op.stagedId).u64(op.size), op.time)
      if (op.source > 0) w.u32(op.source)
      return
    case o.KIND.make:
      file(file(w, op.file), op.parent).blob(op.name).u32(op.mode).u32(op.uid).u32(op.gid).u32(op.rdev)
      time(w, op.time).blob(op.target)
      return
    case o.KIND.link:
      time(file(file(w, op.file), op.parent).blob(op.name), op.time)
      return
    case o.KIND.unlink:
      time(file(w, op.parent).blob(op.name), op.time)
      return
    case o.KIND.rename:
      file(file(w, op.parent).blob(op.name), op.newParent).blob(op.newName)
      time(w.u8(op.exchange ? 1 : 0), op.time)
      return
    case o.KIND.attributes:
      encodeAttributes(w, op)
      return
    case o.KIND.setXattr:
      time(file(w, op.file).blob(op.name).blob(op.value), op.time)
      return
    case o.KIND.removeXattr:
      time(file(w, op.file).blob(op.name), op.time)
      return
    case o.KIND.extent:
      file(w, op.file).u64(op.offset).u32(op.length).fixed(idBytes(op.segment), 32).u32(op.segmentOffset)
      return
    case o.KIND.hole:
    case o.KIND.allocate:
      file(w, op.file).u64(op.offset).u64(op.length)
      return
    case o.KIND.reap:
      file(w, op.file)
      return
    case o.KIND.segment:
      encodeSegment(w, op.info)
      return
    case o.KIND.putInode:
      file(w, op.file).u32(op.mode).u32(op.uid).u32(op.gid).u32(op.rdev).u64(op.size)
      time(time(time(time(w, op.atime), op.mtime), op.ctime), op.btime).blob(op.target)
      return
    case o.KIND.putDentry:
      file(file(w, op.parent).blob(op.name), op.file)
  }
}

function encodeAttributes(w: ByteWriter, op: o.ChangeAttributes): void {
  let mask = 0
  for (const [name, bit] of Object.entries(MASK)) if (op[name as keyof typeof MASK] !== undefined) mask |= bit
  file(w, op.file).u8(mask)
  if (op.mode !== undefined) w.u32(op.mode)
  if (op.uid !== undefined) w.u32(op.uid)
  if (op.gid !== undefined) w.u32(op.gid)
  if (op.atime) time(w, op.atime)
  if (op.mtime) time(w, op.mtime)
  if (op.ctime) time(w, op.ctime)
  if (op.size !== undefined) w.u64(op.size)
}

/** Body of a `segment` operation; snapshot payloads hold the same bytes. */
export function encodeSegment(w: ByteWriter, info: SegmentInfo): void {
  w.fixed(idBytes(info.segment), 32).fixed(info.root, 32).u8(info.dataShards).u8(info.totalShards)
  w.u32(info.keyTerm).u32(info.plainLength).u32(info.paddedLength).u32(info.shardLength)
}

/** Reads the first operations of `bytes`, as many as are whole; answers the bytes used. For batches that come in pieces. */
export function decodeSome(bytes: Buffer, local: boolean, visit: (operation: o.Operation) => void): number {
  let used = 0
  while (bytes.length - used > 0) {
    const head = bytes.subarray(used, used + 10)
    const size = wholeSize(head)
    if (size === null || size > bytes.length - used) return used
    visit(decodeOne(bytes.subarray(used, used + size), local))
    used += size
  }
  return used
}

/** Size of kind, length and body by the first bytes; null when they do not tell yet. */
function wholeSize(head: Buffer): number | null {
  for (let i = 1; i < head.length; i++) {
    if ((head[i] as number) >= 0x80) continue
    const reader = new ByteReader(head.subarray(1, i + 1), 'operation')
    const length = reader.varint()
    if (length > BODY_BYTES_MAX) throw reader.malformed(`body of ${length} bytes`)
    return 1 + i + length
  }
  if (head.length >= 10) throw new ByteReader(head, 'operation').malformed('length is no varint')
  return null
}

function decodeOne(bytes: Buffer, local: boolean): o.Operation {
  const outer = new ByteReader(bytes, 'operation')
  const kind = outer.u8()
  const body = new ByteReader(outer.blob(BODY_BYTES_MAX), `operation ${kind}`)
  outer.end()
  const operation = decodeBody(kind, body, local)
  body.end()
  return operation
}

export function checkVersion(version: number): void {
  if (version === OPERATIONS_VERSION) return
  throw new AppError(
    version > OPERATIONS_VERSION ? 'unsupported-version' : 'malformed',
    `operations version ${version}`,
  )
}
const { OPERATIONS_VERSION } = o

/** A whole batch: version, operations, nothing left over. */
export function decodeBatch(bytes: Buffer, visit: (operation: o.Operation) => void): void {
  const reader = new ByteReader(bytes, 'operations')
  checkVersion(reader.u8())
  const used = decodeSome(bytes.subarray(1), false, visit)
  if (used !== bytes.length - 1) throw reader.malformed('the last operation is cut off')
}

function fileOf(r: ByteReader): FileId {
  return r.fixed(16).toString('hex') as FileId
}

function nameOf(r: ByteReader): Buffer {
  const name = Buffer.from(r.blob(o.NAME_BYTES_MAX))
  if (name.length === 0 || name.includes(0) || name.includes(0x2f)) throw r.malformed('not a file name')
  if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))) {
    throw r.malformed('a name that every directory has')
  }
  return name
}

function timeOf(r: ByteReader): FileTime {
  return nsToTime(r.i64())
}

function positionOf(r: ByteReader): number {
  const value = r.u64()
  if (value > o.FILE_BYTES_MAX) throw r.malformed('beyond the largest file')
  return value
}

function lengthOf(r: ByteReader, offset: number, value: number): number {
  if (value === 0 || offset + value > o.FILE_BYTES_MAX) throw r.malformed('empty or beyond the largest file')
  return value
}

function flagOf(r: ByteReader): boolean {
  const value = r.u8()
  if (value > 1) throw r.malformed('unknown flags')
  return value === 1
}

function xattrNameOf(r: ByteReader): Buffer {
  const name = Buffer.from(r.blob(o.XATTR_NAME_BYTES_MAX))
  if (name.length === 0 || name.includes(0)) throw r.malformed('not an attribute name')
  return name
}

function decodeBody(kind: number, r: ByteReader, local: boolean): o.Operation {
  const K = o.KIND
  switch (kind) {
    case K.make:
      return decodeMake(r)
    case K.link:
      return { kind, file: fileOf(r), parent: fileOf(r), name: nameOf(r), time: timeOf(r) }
    case K.unlink:
      return { kind, parent: fileOf(r), name: nameOf(r), time: timeOf(r) }
    case K.rename: {
      const from = { parent: fileOf(r), name: nameOf(r) }
      return { kind, ...from, newParent: fileOf(r), newName: nameOf(r), exchange: flagOf(r), time: timeOf(r) }
    }
    case K.attributes:
      return decodeAttributes(r)
    case K.setXattr: {
      const head = { file: fileOf(r), name: xattrNameOf(r) }
      return { kind, ...head, value: Buffer.from(r.blob(o.XATTR_VALUE_BYTES_MAX)), time: timeOf(r) }
    }
    case K.removeXattr:
      return { kind, file: fileOf(r), name: xattrNameOf(r), time: timeOf(r) }
    case K.extent: {
      const at = { file: fileOf(r), offset: positionOf(r) }
      const length = lengthOf(r, at.offset, r.u32())
      return { kind, ...at, length, segment: r.fixed(32).toString('hex') as SegmentId, segmentOffset: r.u32() }
    }
    case K.hole:
    case K.allocate: {
      const at = { file: fileOf(r), offset: positionOf(r) }
      return { kind, ...at, length: lengthOf(r, at.offset, r.u64()) }
    }
    case K.reap:
      return { kind, file: fileOf(r) }
    case K.segment:
      return { kind, info: decodeSegment(r) }
    case K.putInode:
      return decodePutInode(r)
    case K.putDentry:
      return { kind, parent: fileOf(r), name: nameOf(r), file: fileOf(r) }
    case K.stagedWrite:
      if (local) return decodeStagedWrite(r)
  }
  throw new AppError('unsupported-version', `operation kind ${kind} is not known`)
}

function decodeMake(r: ByteReader): o.Make {
  const names = { file: fileOf(r), parent: fileOf(r), name: nameOf(r) }
  const numbers = { mode: r.u32(), uid: r.u32(), gid: r.u32(), rdev: r.u32() }
  return { kind: 1, ...names, ...numbers, time: timeOf(r), target: Buffer.from(r.blob(o.TARGET_BYTES_MAX)) }
}

function decodePutInode(r: ByteReader): o.PutInode {
  const numbers = { file: fileOf(r), mode: r.u32(), uid: r.u32(), gid: r.u32(), rdev: r.u32(), size: positionOf(r) }
  const times = { atime: timeOf(r), mtime: timeOf(r), ctime: timeOf(r), btime: timeOf(r) }
  return { kind: 13, ...numbers, ...times, target: Buffer.from(r.blob(o.TARGET_BYTES_MAX)) }
}

function decodeStagedWrite(r: ByteReader): o.StagedWrite {
  const at = { file: fileOf(r), offset: positionOf(r), length: r.u32(), stagedId: r.u64() }
  return { kind: 0, ...at, size: r.u64(), time: timeOf(r), source: r.remaining > 0 ? r.u32() : 0 }
}

function decodeAttributes(r: ByteReader): o.ChangeAttributes {
  const id = fileOf(r)
  const mask = r.u8()
  if (mask > MASK_ALL) throw r.malformed('unknown attributes')
  return {
    kind: 5,
    file: id,
    mode: mask & MASK.mode ? r.u32() : undefined,
    uid: mask & MASK.uid ? r.u32() : undefined,
    gid: mask & MASK.gid ? r.u32() : undefined,
    atime: mask & MASK.atime ? timeOf(r) : undefined,
    mtime: mask & MASK.mtime ? timeOf(r) : undefined,
    ctime: mask & MASK.ctime ? timeOf(r) : undefined,
    size: mask & MASK.size ? positionOf(r) : undefined,
  }
}

export function decodeSegment(r: ByteReader): SegmentInfo {
  const ids = { segment: r.fixed(32).toString('hex') as SegmentId, root: Buffer.from(r.fixed(32)) }
  const info = { ...ids, dataShards: r.u8(), totalShards: r.u8(), keyTerm: r.u32(), plainLength: r.u32() }
  const whole = { ...info, paddedLength: r.u32(), shardLength: r.u32() }
  // Readers compute with these: what does not follow from the plain length is no segment.
  if (!hasSoundLengths(whole)) throw r.malformed('a segment of impossible lengths')
  return whole
}
