/**
 * A drive from nothing but its chain: the whole chain is verified from the genesis, then the newest snapshot that can be
 * read is imported and every epoch behind it applied. The result is the state of the last published epoch, exactly.
 *
 * A snapshot that cannot be read or does not fit its hash is passed over for the older one, and that for the log from its start.
 * Each step is one transaction of the ledger, so a rebuild that was cut short goes on where it stood.
 */
import { AppError, isCode } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import { type ChainRecord, type Head, RECORD_KIND } from '../../model/chain.js'
import type { AccountId, DriveId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import { decodeEpoch } from '../../permits/chain-bodies.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { followRecord, startChain } from '../../permits/chain-rules.js'
import type { ChainState } from '../../permits/chain-state.js'
import type { BatchChanges } from '../metadata/batch-changes.js'
import type { SavedRecord, SnapshotMark } from '../metadata/types.js'
import { type ChainBridge, type DriveTerms, openEpoch, saveChainState } from './drive-chain.js'
import type { RecordSpool } from './record-spool.js'
import { decodeSnapshotPayload, readSnapshot, type SegmentSource } from './snapshot-payload.js'
import { saveLogBytes } from './snapshotter.js'

export interface RecoveryLedger {
  head(): Promise<Head | null>
  progress(): { publishedEpoch: number }
  putMeta(entries: Readonly<Record<string, Buffer | null>>, durable?: boolean): Promise<void>
  applyBatch(operations: Buffer, epoch: number, head: Head): Promise<BatchChanges>
  importSnapshot(operations: AsyncIterable<Buffer> | Iterable<Buffer>, epoch: number, head: Head): Promise<void>
  recordSnapshot(mark: SnapshotMark, segments: readonly SegmentInfo[]): Promise<void>
  saveHead(head: Head): Promise<void>
  saveRecords(records: readonly SavedRecord[]): Promise<void>
  sync(): Promise<void>
}

export interface RecoveryParts {
  bridge: ChainBridge
  ledger: RecoveryLedger
  segments: SegmentSource
  log: Log
  progress: (done: number, total: number, note: string) => void
}

export interface VerifiedChain {
  state: ChainState
  /** Positions in the spool of what carries operations, in order. */
  epochs: { epoch: number; at: number }[]
  /** Newest last. */
  snapshots: { epoch: number; at: number }[]
}

/** Reads the chain from its genesis and verifies every record; the records lie in the spool afterwards. */
export async function readChain(
  bridge: ChainBridge,
  expected: { drive: DriveId; account: AccountId },
  spool: RecordSpool,
  signal: AbortSignal,
  progress: (done: number, total: number) => void = () => undefined,
): Promise<VerifiedChain> {
  const head = await bridge.head(signal)
  let state: ChainState | null = null
  const epochs: VerifiedChain['epochs'] = []
  const snapshots: VerifiedChain['snapshots'] = []
  for (;;) {
    const records: Buffer[] = await bridge.records(state === null ? 0 : state.head.sequence + 1, signal)
    if (records.length === 0) break
    for (const encoded of records) {
      const record: ChainRecord = decodeRecord(encoded)
      state = state === null ? startChain(record, expected) : followRecord(state, record)
      const at = spool.add(encoded)
      if (record.kind === RECORD_KIND.epoch) epochs.push({ epoch: decodeEpoch(record.body).epoch, at })
      if (record.kind === RECORD_KIND.snapshot) snapshots.push({ epoch: decodeEpoch(record.body).epoch, at })
    }
    progress(state === null ? 0 : state.head.sequence, head.sequence)
  }
  if (state === null) throw new AppError('not-found', 'the bridge has no records of this drive')
  if (state.head.sequence < head.sequence) {
    throw new AppError('chain-broken', `the bridge speaks of record ${head.sequence} and shows ${state.head.sequence}`)
  }
  failpoint('mount.recover.read')
  return { state, epochs, snapshots }
}

/** Builds the tree in an empty ledger, or goes on with one that is half built. Answers the epoch that the drive stands at. */
export async function rebuildLedger(
  chain: VerifiedChain,
  spool: RecordSpool,
  terms: DriveTerms,
  parts: RecoveryParts,
  signal: AbortSignal,
): Promise<number> {
  const { ledger, progress } = parts
  terms.learn(chain.state)
  await expectOwnPast(chain, spool, ledger)
  const begun = ledger.progress().publishedEpoch
  let done = begun > 0 ? begun : await importNewest(chain, spool, terms, parts, signal)
  failpoint('mount.recover.imported')
  const rest = chain.epochs.filter((one) => one.epoch > done)
  let logBytes = 0
  for (const [number, { epoch, at }] of rest.entries()) {
    signal.throwIfAborted()
    const record = decodeRecord(spool.read(at))
    const operations = await openEpoch(record, terms)
    await ledger.applyBatch(operations, epoch, headOf(record))
    failpoint('mount.recover.applied')
    logBytes += operations.length
    done = epoch
    progress(number + 1, rest.length, 'epochs')
  }
  await markSnapshots(chain, spool, terms, parts)
  await keepChain(spool, ledger)
  failpoint('mount.recover.kept')
  await saveLogBytes(ledger, logBytes)
  await ledger.saveHead(chain.state.head)
  // Last: as long as it is missing, a rebuild is not finished.
  await saveChainState(ledger, chain.state)
  failpoint('mount.recover.stated')
  await ledger.sync()
  return done
}

/** What was built before must be the past of what the bridge shows now: `drive-forked`, `drive-rolled-back`. */
async function expectOwnPast(chain: VerifiedChain, spool: RecordSpool, ledger: RecoveryLedger): Promise<void> {
  const head = await ledger.head()
  if (head === null || ledger.progress().publishedEpoch === 0) return
  const { sequence } = chain.state.head
  if (head.sequence > sequence) {
    throw new AppError('drive-rolled-back', `the bridge ends at record ${sequence}, we know ${head.sequence}`)
  }
  if (decodeRecord(spool.read(head.sequence)).hash.equals(head.hash)) return
  throw new AppError('drive-forked', `the bridge shows another record ${head.sequence} than it did before`)
}

/** The epoch of the snapshot that was imported; 0 when there is none to read. */
async function importNewest(
  chain: VerifiedChain,
  spool: RecordSpool,
  terms: DriveTerms,
  { ledger, segments, log, progress }: RecoveryParts,
  signal: AbortSignal,
): Promise<number> {
  for (const { epoch, at } of chain.snapshots.slice(-2).reverse()) {
    const record = decodeRecord(spool.read(at))
    const from = spool.count
    try {
      const payload = decodeSnapshotPayload(await openEpoch(record, terms))
      progress(0, payload.operationBytes, 'snapshot')
      const pieces = readSnapshot(payload, segments, signal, (done) =>
        progress(done, payload.operationBytes, 'snapshot'),
      )
      // First all of it, checked: fetching asks the ledger for placements and tokens, which an import would keep waiting.
      for await (const piece of pieces) spool.add(piece)
      await ledger.importSnapshot(spooled(spool, from), epoch, headOf(record))
      return epoch
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AppError) || isCode(error, 'no-space')) throw error
      log.warn({ code: error.code, epoch }, 'a snapshot cannot be used, trying what is older')
    } finally {
      spool.cutTo(from)
    }
  }
  return 0
}

function* spooled(spool: RecordSpool, from: number): Generator<Buffer> {
  for (let at = from; at < spool.count; at++) yield spool.read(at)
}

/** The snapshots that are kept: what they name is not retired from here, and in the end their own segments are. */
async function markSnapshots(
  chain: VerifiedChain,
  spool: RecordSpool,
  terms: DriveTerms,
  { ledger, log }: RecoveryParts,
): Promise<void> {
  for (const { epoch, at } of chain.snapshots.slice(-2)) {
    const record = decodeRecord(spool.read(at))
    try {
      const { segments } = decodeSnapshotPayload(await openEpoch(record, terms))
      const mark = { epoch, sequence: record.sequence, segments: segments.map((one) => one.segment) }
      await ledger.recordSnapshot(mark, segments)
    } catch (error) {
      if (!(error instanceof AppError) || isCode(error, 'no-space') || isCode(error, 'ledger-stopped')) throw error
      log.warn({ code: error.code, epoch }, 'a snapshot of the chain cannot be read')
    }
  }
}

/** A few at a time: each transaction is a flush of the disk. */
const KEPT_BYTES = 4 * 1_048_576
const KEPT_RECORDS = 256

/** The whole chain stays here, for a bridge that loses it. */
async function keepChain(spool: RecordSpool, ledger: RecoveryLedger): Promise<void> {
  let batch: SavedRecord[] = []
  let bytes = 0
  for (let at = 0; at < spool.count; at++) {
    const { sequence, hash, encoded } = decodeRecord(spool.read(at))
    batch.push({ sequence, hash, encoded })
    bytes += encoded.length
    const isLast = at === spool.count - 1
    if (!isLast && bytes < KEPT_BYTES && batch.length < KEPT_RECORDS) continue
    await ledger.saveRecords(batch)
    batch = []
    bytes = 0
  }
}

function headOf(record: ChainRecord): Head {
  return { sequence: record.sequence, hash: record.hash }
}
