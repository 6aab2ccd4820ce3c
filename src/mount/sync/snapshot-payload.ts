/** What a snapshot record carries, sealed: which segments hold the snapshot, and the hash of what they hold (docs/format.md section 8). */
import { createHash } from 'node:crypto'
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import { AppError } from '../../base/errors.js'
import type { SegmentInfo } from '../../model/segment.js'
import { decodeSegment, encodeSegment } from '../metadata/operation-codec.js'

export interface SnapshotPayload {
  epoch: number
  logSequence: number
  operationBytes: number
  /** H(all operations bytes). */
  hash: Buffer
  segments: SegmentInfo[]
}

/** Plain bytes of segments, verified. */
export interface SegmentSource {
  read(segment: SegmentInfo, offset: number, length: number, signal: AbortSignal): Promise<Buffer>
}

const VERSION = 1
/** 7 GB of operations at the smallest scheme: hundreds of millions of files. */
const SEGMENTS_MAX = 16_384

export function encodeSnapshotPayload(payload: SnapshotPayload): Buffer {
  const writer = new ByteWriter(64 + payload.segments.length * 96)
  writer.u8(VERSION).u64(payload.epoch).u64(payload.logSequence).u64(payload.operationBytes).fixed(payload.hash, 32)
  writer.u32(payload.segments.length)
  for (const segment of payload.segments) encodeSegment(writer, segment)
  return writer.bytes()
}

export function decodeSnapshotPayload(bytes: Buffer): SnapshotPayload {
  const reader = new ByteReader(bytes, 'snapshot')
  const version = reader.u8()
  if (version !== VERSION) throw new AppError('unsupported-version', `a snapshot of version ${version}`)
  const facts = {
    epoch: reader.u64(),
    logSequence: reader.u64(),
    operationBytes: reader.u64(),
    hash: Buffer.from(reader.fixed(32)),
  }
  const count = reader.u32()
  if (count > SEGMENTS_MAX) throw reader.malformed(`${count} segments`)
  const segments = Array.from({ length: count }, () => decodeSegment(reader))
  reader.end()
  const total = segments.reduce((sum, one) => sum + one.plainLength, 0)
  if (total !== facts.operationBytes) throw new AppError('malformed', 'a snapshot whose segments have another length')
  return { ...facts, segments }
}

/** The operations, a segment at a time; `snapshot-mismatch` at the end when they are not what the record says. */
export async function* readSnapshot(
  payload: SnapshotPayload,
  source: SegmentSource,
  signal: AbortSignal,
  progress: (doneBytes: number) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let done = 0
  for (const segment of payload.segments) {
    const bytes = await source.read(segment, 0, segment.plainLength, signal)
    hash.update(bytes)
    done += bytes.length
    progress(done)
    yield bytes
  }
  if (!hash.digest().equals(payload.hash))
    throw new AppError('snapshot-mismatch', 'the snapshot is not what its record says')
}
