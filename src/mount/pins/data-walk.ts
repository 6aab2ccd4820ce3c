/** From a file or folder to the units that hold its bytes. Asks the ledger in short steps, so the door is never kept waiting. */
import { isCode } from '../../base/errors.js'
import type { SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { layoutOf } from '../../segment/layout.js'
import { unitsOfRange } from '../../segment/offsets.js'
import type { LedgerPins, LedgerTree } from '../metadata/ledger.js'
import { S_IFDIR, S_IFREG, typeOf } from '../metadata/modes.js'
import type { PiecesFrom } from '../metadata/types.js'

export interface WalkLedger extends Pick<LedgerTree, 'attributes' | 'list'>, Pick<LedgerPins, 'piecesOf'> {}

/** Names of one step. */
const PAGE = 1_000

export interface Page {
  /** Regular files, each once a page (a file of several names may come again). */
  readonly files: readonly number[]
  readonly folders: readonly number[]
}

/** The file itself, or all that lies in a folder, the folder included. What goes meanwhile is left out. */
export async function* below(ledger: WalkLedger, root: number, signal: AbortSignal): AsyncGenerator<Page> {
  const mode = (await unlessGone(ledger.attributes(root)))?.mode ?? 0
  if (typeOf(mode) === S_IFREG) yield { files: [root], folders: [] }
  if (typeOf(mode) !== S_IFDIR) return
  const waiting = [root]
  yield { files: [], folders: [root] }
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    let cookie = 0
    for (let end = false; !end; ) {
      signal.throwIfAborted()
      const page = await unlessGone(ledger.list(folder, cookie, PAGE, false))
      if (page === null) break
      const of = (type: number) => page.entries.filter((one) => typeOf(one.mode) === type).map((one) => one.ino)
      const folders = of(S_IFDIR)
      waiting.push(...folders)
      yield { files: [...new Set(of(S_IFREG))], folders }
      cookie = page.entries.at(-1)?.cookie ?? cookie
      end = page.end
    }
  }
}

async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if (isCode(error, 'stale')) return null
    throw error
  }
}

/** Units of one segment, and how many bytes of the files lie in each. */
export interface Wanted {
  readonly info: SegmentInfo
  readonly units: ReadonlyMap<number, number>
}

export interface WantedStep {
  readonly wanted: readonly Wanted[]
  /** Bytes that are only here so far. */
  readonly localBytes: number
}

export async function* wantedOf(
  ledger: WalkLedger,
  files: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<WantedStep> {
  let from: PiecesFrom | null = files.length === 0 ? null : { at: 0, offset: 0 }
  while (from !== null) {
    signal.throwIfAborted()
    const { pieces, localBytes, next } = await ledger.piecesOf(files, from)
    const bySegment = new Map<SegmentId, { info: SegmentInfo; units: Map<number, number> }>()
    for (const { segment: info, segmentOffset, length } of pieces) {
      const one = bySegment.get(info.segment) ?? { info, units: new Map<number, number>() }
      bySegment.set(info.segment, one)
      for (const { place, length: bytes } of unitsOfRange(layoutOf(info), segmentOffset, length)) {
        one.units.set(place.unit, (one.units.get(place.unit) ?? 0) + bytes)
      }
    }
    yield { wanted: [...bySegment.values()], localBytes }
    from = next
  }
}

/** Bytes of the files in those of the units. */
export function bytesIn({ units }: Wanted, some: Iterable<number>): number {
  let bytes = 0
  for (const unit of some) bytes += units.get(unit) ?? 0
  return bytes
}
