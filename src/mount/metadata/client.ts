/** The Ledger of ledger.ts over a LedgerChannel: packs arguments, unpacks answers. One method each, in the same order. */
import type { Head } from '../../model/chain.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { BatchChanges } from './batch-changes.js'
import { LedgerCare } from './care-client.js'
import { LedgerChannel, type LedgerOptions } from './channel.js'
import type { LedgerRoom } from './disk-room.js'
import type { AttributeParts, CopyParts, Ledger, MakeParts, RangeParts, WriteParts } from './ledger.js'
import * as pack from './packing.js'
import { materialised, orNull, own, plainHead, plainInfo, plainRecord, savedRecord, withRoot } from './plain.js'
import type * as rows from './types.js'

type Time = rows.FileTime
type Transfer = ArrayBuffer[]

export async function openLedger(options: LedgerOptions): Promise<LedgerClient> {
  return new LedgerClient(await LedgerChannel.open(options))
}

export class LedgerClient implements Ledger {
  /** For fsck and healing. */
  readonly care: LedgerCare
  private readonly channel: LedgerChannel
  private flushStaged: (() => void) | null = null

  constructor(channel: LedgerChannel) {
    this.channel = channel
    this.care = new LedgerCare(channel)
  }

  /** `flush` runs before every call but write(): what a writer still gathers comes before what is asked next. */
  beforeCalls(flush: () => void): void {
    this.flushStaged = flush
  }

  private async call<T>(method: string, args: readonly unknown[], transfer?: Transfer): Promise<T> {
    this.flushStaged?.()
    return (await this.channel.call(method, args, transfer)) as T
  }

  private async change(method: string, args: readonly unknown[], transfer?: Transfer): Promise<rows.Changed> {
    return pack.unpackChanged(await this.call(method, args, transfer))
  }

  async lookup(parent: number, name: Buffer): Promise<rows.Inode | null> {
    return pack.unpackInodeOrNull(await this.call('lookup', [parent, pack.packBytes(name)]))
  }
  async attributes(ino: number): Promise<rows.Inode> {
    return pack.unpackInode(await this.call('attributes', [ino]))
  }
  async readLink(ino: number): Promise<Buffer> {
    return pack.unpackBytes(await this.call('readLink', [ino]))
  }
  async list(ino: number, cookie: number, limit: number, withAttributes: boolean): Promise<rows.DirectoryPage> {
    return pack.unpackPage(await this.call('list', [ino, cookie, limit, withAttributes]))
  }
  async getXattr(ino: number, name: Buffer): Promise<Buffer | null> {
    return orNull(await this.call<Uint8Array | null>('getXattr', [ino, pack.packBytes(name)]))
  }
  async listXattr(ino: number): Promise<Buffer[]> {
    return (await this.call<string[]>('listXattr', [ino])).map(pack.unpackBytes)
  }
  seek(ino: number, offset: number, whence: 'data' | 'hole'): Promise<number | null> {
    return this.call('seek', [ino, offset, whence])
  }
  stateOf(ino: number): Promise<rows.FileState> {
    return this.call('stateOf', [ino])
  }

  make(parts: MakeParts): Promise<rows.Changed> {
    const { name, target, ...plain } = parts
    return this.change('make', [plain, name && pack.packBytes(name), target ? pack.packBytes(target) : null])
  }
  link(ino: number, parent: number, name: Buffer, time: Time): Promise<rows.Changed> {
    return this.change('link', [ino, parent, pack.packBytes(name), time])
  }
  unlink(parent: number, name: Buffer, time: Time, kind: 'file' | 'directory'): Promise<rows.Changed> {
    return this.change('unlink', [parent, pack.packBytes(name), time, kind])
  }
  rename(
    parent: number,
    name: Buffer,
    newParent: number,
    newName: Buffer,
    mode: 'replace' | 'no-replace' | 'exchange',
    time: Time,
  ): Promise<rows.Changed> {
    return this.change('rename', [parent, pack.packBytes(name), newParent, pack.packBytes(newName), mode, time])
  }
  setAttributes(parts: AttributeParts): Promise<rows.Changed> {
    return this.change('setAttributes', [parts])
  }
  setXattr(
    ino: number,
    name: Buffer,
    value: Buffer,
    mode: 'any' | 'create' | 'replace',
    time: Time,
  ): Promise<rows.Changed> {
    return this.change('setXattr', [ino, pack.packBytes(name), new Uint8Array(value), mode, time])
  }
  removeXattr(ino: number, name: Buffer, time: Time): Promise<rows.Changed> {
    return this.change('removeXattr', [ino, pack.packBytes(name), time])
  }
  /** Does not flush: it is what a flush calls. */
  async write(parts: WriteParts): Promise<rows.Changed> {
    return pack.unpackChanged(await this.channel.call('write', [parts], [parts.bytes]))
  }
  changeRange(parts: RangeParts): Promise<rows.Changed> {
    return this.change('changeRange', [parts])
  }
  async copyRange(parts: CopyParts): Promise<rows.Copied> {
    const [copied, inodes] = await this.call<[number, unknown]>('copyRange', [parts])
    return { copied, ...pack.unpackChanged(inodes) }
  }
  reap(inos: readonly number[]): Promise<void> {
    return this.call('reap', [inos])
  }
  reapOrphans(): Promise<number> {
    return this.call('reapOrphans', [])
  }
  sync(): Promise<void> {
    return this.call('sync', [])
  }

  async plan(ino: number, offset: number, length: number): Promise<rows.Plan> {
    return pack.unpackPlan(await this.call('plan', [ino, offset, length]))
  }
  async segment(segment: SegmentId): Promise<SegmentInfo | null> {
    const info = await this.call<SegmentInfo | null>('segment', [segment])
    return info && withRoot(info)
  }
  async placement(segment: SegmentId): Promise<Buffer | null> {
    return orNull(await this.call<Uint8Array | null>('placement', [segment]))
  }
  putPlacement(segment: SegmentId, placement: Buffer): Promise<void> {
    return this.call('putPlacement', [segment, new Uint8Array(placement)])
  }

  cut(options: { view?: boolean } = {}): Promise<rows.Cut | null> {
    return this.call('cut', [options.view ?? false])
  }
  async readStaged(stagedIds: readonly number[]): Promise<Buffer[]> {
    return (await this.call<Uint8Array[]>('readStaged', [stagedIds])).map(pack.bufferOf)
  }
  recordPendingSegments(segments: readonly SegmentId[]): Promise<void> {
    return this.call('recordPendingSegments', [segments])
  }
  pendingSegments(): Promise<SegmentId[]> {
    return this.call('pendingSegments', [])
  }
  forgetPendingSegments(segments: readonly SegmentId[]): Promise<void> {
    return this.call('forgetPendingSegments', [segments])
  }
  async materialise(
    epoch: number,
    mapping: readonly rows.StagedMapping[],
    segments: readonly SegmentInfo[],
  ): Promise<rows.Materialised> {
    return materialised(await this.call('materialise', [epoch, mapping, segments.map(plainInfo)]))
  }
  async prepared(epoch: number): Promise<rows.Materialised> {
    return materialised(await this.call('prepared', [epoch]))
  }
  saveRecord(epoch: number, record: rows.SavedRecord): Promise<void> {
    return this.call('saveRecord', [epoch, plainRecord(record)])
  }
  published(epoch: number, head: Head): Promise<void> {
    return this.call('published', [epoch, plainHead(head)])
  }
  async pendingEpochs(limit?: number): Promise<rows.PendingEpoch[]> {
    const epochs = await this.call<rows.PendingEpoch[]>('pendingEpochs', [limit ?? null])
    return epochs.map((one) => ({ ...one, record: one.record && savedRecord(one.record) }))
  }

  async head(): Promise<Head | null> {
    const head = await this.call<Head | null>('head', [])
    return head && { sequence: head.sequence, hash: pack.bufferOf(head.hash) }
  }
  saveRecords(records: readonly rows.SavedRecord[]): Promise<void> {
    return this.call('saveRecords', [records.map(plainRecord)])
  }
  async loadRecords(sequence: number): Promise<rows.SavedRecord[]> {
    return (await this.call<rows.SavedRecord[]>('loadRecords', [sequence])).map(savedRecord)
  }
  applyBatch(operations: Buffer, epoch: number, head: Head): Promise<BatchChanges> {
    return this.call('applyBatch', [own(operations), epoch, plainHead(head)])
  }
  saveHead(head: Head): Promise<void> {
    return this.call('saveHead', [plainHead(head)])
  }
  async importSnapshot(operations: AsyncIterable<Buffer> | Iterable<Buffer>, epoch: number, head: Head): Promise<void> {
    await this.call('beginImport', [epoch])
    try {
      for await (const piece of operations) await this.call('importPiece', [own(piece)])
      await this.call('finishImport', [plainHead(head)])
    } catch (error) {
      await this.call('abortImport', [])
      throw error
    }
  }
  async *exportSnapshot(epoch: number): AsyncIterable<Buffer> {
    for (;;) {
      const piece = await this.call<Uint8Array | null>('exportPiece', [epoch])
      if (piece === null) return
      yield pack.bufferOf(piece)
    }
  }
  releaseView(epoch: number): Promise<void> {
    return this.call('releaseView', [epoch])
  }
  recordSnapshot(mark: rows.SnapshotMark, segments: readonly SegmentInfo[]): Promise<void> {
    return this.call('recordSnapshot', [mark, segments.map(plainInfo)])
  }
  snapshots(): Promise<rows.SnapshotMark[]> {
    return this.call('snapshots', [])
  }
  async segmentsAfter(row: number, limit: number): Promise<rows.SegmentPage> {
    const { segments, left } = await this.call<rows.SegmentPage>('segmentsAfter', [row, limit])
    return { left, segments: segments.map((one) => ({ ...one, info: withRoot(one.info) })) }
  }

  async getMeta(key: string): Promise<Buffer | null> {
    return orNull(await this.call<Uint8Array | null>('getMeta', [key]))
  }
  putMeta(entries: Readonly<Record<string, Buffer | null>>, durable = false): Promise<void> {
    const packed = Object.entries(entries).map(([key, value]) => [key, value && own(value)])
    return this.call('putMeta', [packed, durable])
  }
  pins(): Promise<number[]> {
    return this.call('pins', [])
  }
  setPin(ino: number, isPinned: boolean): Promise<void> {
    return this.call('setPin', [ino, isPinned])
  }
  async piecesOf(inos: readonly number[], from: rows.PiecesFrom): Promise<rows.FilePieces> {
    const { pieces, ...rest } = await this.call<rows.FilePieces>('piecesOf', [inos, from])
    return { ...rest, pieces: pieces.map((one) => ({ ...one, segment: withRoot(one.segment) })) }
  }
  /** Does not flush: what is not handed over is the asker's to count. */
  room(): Promise<LedgerRoom> {
    return this.channel.call('room', []) as Promise<LedgerRoom>
  }
  progress(): rows.Progress {
    return this.channel.progress
  }
  readOnlyReason(): string | null {
    return this.channel.readOnly
  }
  setReadOnly(reason: string | null): Promise<void> {
    return this.call('setReadOnly', [reason])
  }
  check(): Promise<rows.Finding[]> {
    return this.call('check', [])
  }
  /** Without a last commit, as by a crash of the thread: what was not synced may be gone. */
  terminate(): Promise<void> {
    return this.channel.terminate()
  }
  async close(): Promise<void> {
    const closing = this.call('close', [])
    this.channel.end()
    try {
      await closing
    } finally {
      await this.channel.terminate()
    }
  }
}
