/** What the bridge says of the segments of a drive, against what its ledger says; and, when asked for, every one of them read. */
import { AppError } from '../base/errors.js'
import { linkSignal } from '../base/linked-signal.js'
import type { SegmentId } from '../model/ids.js'
import type { SegmentInfo } from '../model/segment.js'
import { ownsShards } from '../segment/root.js'
import type { FsckParts, FsckProgress } from './drive-fsck.js'

export interface PlacementLook {
  segments: number
  /** On all their hosts. */
  full: number
  /** Fewer than n, more than k: the bridge has them repaired. */
  short: number
  /** Exactly k: the next lost host takes bytes, unless repair is quicker. */
  weak: number
  /** Fewer than k. */
  lost: number
  /** The bridge knows nothing of them, or names other shards than the ledger's. */
  unknown: number
  /** With `read`: fetched and verified, and those that could not be. */
  read: number
  unreadable: number
  readBytes: number
}

const PAGE = 256
const ASK_MS = 10_000
/** Of one segment: some MiB from hosts that may be slow. */
const READ_MS = 60_000

export interface PlacementFound {
  look: PlacementLook
  /** Cannot be had now, as far as anybody knows; also some that no file needs. */
  lost: SegmentId[]
  weak: SegmentId[]
}

export async function lookAtPlacement(
  parts: FsckParts,
  read: boolean,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<PlacementFound> {
  const { storage } = parts
  const look = { segments: 0, full: 0, short: 0, weak: 0, lost: 0, unknown: 0, read: 0, unreadable: 0, readBytes: 0 }
  const found: PlacementFound = { look, lost: [], weak: [] }
  let total = 0
  for (let row = 0; ; ) {
    signal.throwIfAborted()
    const page = await storage.ledger.segmentsAfter(row, PAGE)
    total = Math.max(total, look.segments + page.left)
    const infos = page.segments.map((one) => one.info)
    const last = page.segments.at(-1)
    if (last === undefined) return found
    await ask(parts, infos, found, signal)
    for (const info of read ? infos : []) {
      await readWhole(parts, info, found, signal)
      progress('read', look.read + look.unreadable, total)
    }
    if (!read) progress('placement', look.segments, total)
    row = last.row
  }
}

async function ask(
  { network, drive }: FsckParts,
  infos: readonly SegmentInfo[],
  { look, lost, weak }: PlacementFound,
  signal: AbortSignal,
): Promise<void> {
  const totalShards = Math.max(...infos.map((one) => one.totalShards))
  const ids = infos.map((one) => one.segment)
  const late = new AppError('timed-out', 'the bridge does not say where segments lie', { retry: 'later' })
  const limit = linkSignal(signal, { ms: ASK_MS, reason: () => late })
  const answer = network.client.locate(drive, ids, { totalShards, signal: limit.signal }).finally(limit.release)
  const located = new Map((await answer).map((one) => [one.segment, one]))
  for (const info of infos) {
    look.segments++
    const shards = [...(located.get(info.segment)?.shards ?? [])].sort((a, b) => a.index - b.index)
    const stored = shards.filter((one) => one.stored && one.host !== null).length
    const isOwn = ownsShards(
      info,
      shards.map((one) => one.shard),
    )
    if (!isOwn) look.unknown++
    else if (stored < info.dataShards) look.lost++
    else if (stored === info.dataShards && stored < info.totalShards) look.weak++
    else if (stored < info.totalShards) look.short++
    else look.full++
    if (!isOwn || stored < info.dataShards) lost.push(info.segment)
    else if (stored === info.dataShards && stored < info.totalShards) weak.push(info.segment)
  }
}

/** Every byte of it, verified by the reader. One that was lost by the bridge's word, and can be read, is not. */
async function readWhole(
  { storage }: FsckParts,
  info: SegmentInfo,
  found: PlacementFound,
  signal: AbortSignal,
): Promise<void> {
  const { look } = found
  const late = new AppError('timed-out', 'a segment takes too long', { retry: 'later' })
  const limit = linkSignal(signal, { ms: READ_MS, reason: () => late })
  try {
    look.readBytes += (await storage.reader.fetchSegmentRange(info, 0, info.plainLength, limit.signal)).length
    look.read++
    found.lost = found.lost.filter((one) => one !== info.segment)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AppError)) throw error
    look.unreadable++
    if (!found.lost.includes(info.segment)) found.lost.push(info.segment)
  } finally {
    limit.release()
  }
}
