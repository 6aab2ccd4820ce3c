/**
 * The rules of a drive's chain: a pure state machine, one record at a time from the genesis. The bridge runs it before it
 * takes a record (appendRecord), a device before it believes one (followRecord); neither needs a key.
 *
 * Promises: a state is reached only through records that link by hash and sequence, each signed by who may sign it:
 * kinds 1-4 and 8 by the account key, 5-7 by a live device; epochs and snapshots by the holder of the highest writer
 * term, under the key term in force. A failed record changes nothing.
 *
 * Codes: `malformed`, `unsupported-version`, `unsupported-feature`, `chain-broken` (link or rule), `chain-signature`
 * (not signed, or by nobody who may), `device-revoked`, `writer-fenced`, `key-term-stale` (seal the batch again under
 * the new term), `head-moved` (append only), `drive-forked`, `drive-rolled-back` (following only).
 */
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import { type ChainRecord, type Head, RECORD_KIND } from '../model/chain.js'
import type { AccountId, DriveId } from '../model/ids.js'
import { decodeGenesis, type Features } from './chain-bodies.js'
import { applyBody } from './chain-kinds.js'
import { expectRecordSignature, GENESIS_PREVIOUS } from './chain-record.js'
import { type ChainState, isLive } from './chain-state.js'
import { signatureFits } from './signed-bytes.js'
import type { Witness } from './witness.js'

/** What this program understands. Unknown compatible bits change nothing. */
export const KNOWN_FEATURES = { readOnlyCompatible: 0n, incompatible: 1n } as const

/** The state after the genesis. `expected` is what the caller asked for: no other drive is taken for it. */
export function startChain(record: ChainRecord, expected: { drive?: DriveId; account?: AccountId } = {}): ChainState {
  if (record.kind !== RECORD_KIND.genesis || record.sequence !== 0)
    throw broken(record, 'a chain starts with its genesis')
  if (!record.previous.equals(GENESIS_PREVIOUS)) throw broken(record, 'a genesis has no record before it')
  const body = decodeGenesis(record.body)
  if (expected.drive !== undefined && record.drive !== expected.drive) throw broken(record, 'another drive')
  if (expected.account !== undefined && body.account !== expected.account) {
    throw new AppError('chain-signature', 'the drive belongs to another account')
  }
  if ((record.signer as string) !== body.account) throw wrongSigner(record)
  expectRecordSignature(record)
  if (record.writerTerm !== 0 || record.keyTerm !== 1) throw broken(record, 'terms of a genesis')
  expectKnownFeatures(body.features)
  const device = {
    addedSequence: 0,
    addedAtMs: record.timeMs,
    revokedSequence: null,
    wraps: new Map([[1, body.deviceWrap]]),
    labelWrap: body.labelWrap,
  }
  return {
    drive: record.drive,
    account: body.account,
    recoveryKey: body.recoveryKey,
    features: body.features,
    head: headOf(record),
    keyTerm: 1,
    recoveryWraps: new Map([[1, body.recoveryWrap]]),
    devices: new Map([[body.device, device]]),
    writerTerm: 0,
    writer: null,
    epoch: 0,
    snapshots: [],
  }
}

/** For the bridge: the state with `record` on top. `head-moved` carries sequence and hash of the head. */
export function appendRecord(state: ChainState, record: ChainRecord): ChainState {
  expectDrive(state, record)
  expectSigner(state, record)
  const { head } = state
  if (record.sequence !== head.sequence + 1 || !record.previous.equals(head.hash)) {
    throw new AppError('head-moved', 'other records came first', {
      retry: 'later',
      details: { sequence: head.sequence, hash: hexOf(head.hash) },
    })
  }
  return apply(state, record)
}

/**
 * For a device: the state with the next record that the bridge showed. A well-signed next record that does not link to
 * our head proves that two histories exist: `drive-forked`.
 */
export function followRecord(state: ChainState, record: ChainRecord): ChainState {
  expectDrive(state, record)
  if (record.sequence !== state.head.sequence + 1) throw broken(record, `expected sequence ${state.head.sequence + 1}`)
  if (!record.previous.equals(state.head.hash)) {
    if (!signatureFits(record.encoded, record.signer)) throw broken(record, 'does not link to the record before')
    throw forked(state, record.sequence - 1)
  }
  expectSigner(state, record)
  return apply(state, record)
}

/** For a device: may the bridge's head come from ours? Equal is fine; higher has still to be followed to. */
export function checkHead(state: ChainState, head: Head): void {
  if (head.sequence < state.head.sequence) throw rolledBack(state, head.sequence)
  if (head.sequence === state.head.sequence && !head.hash.equals(state.head.hash)) throw forked(state, head.sequence)
}

/**
 * For a device that followed the bridge to its end: does a verified witness from a host know more? A witness of a
 * device that the chain does not know says nothing (false); of one that agrees or is older: true.
 */
export function checkWitness(state: ChainState, witness: Witness): boolean {
  if (!state.devices.has(witness.device)) return false
  if (witness.sequence > state.head.sequence) {
    throw new AppError(
      'drive-rolled-back',
      `a host keeps the head of record ${witness.sequence}, the bridge ends before`,
      {
        details: { sequence: state.head.sequence, witnessed: witness.sequence },
      },
    )
  }
  if (witness.sequence === state.head.sequence && !witness.hash.equals(state.head.hash)) {
    throw forked(state, witness.sequence)
  }
  return true
}

/** True when the drive uses what this program may read but not write. */
export function isReadOnlyByFeatures(state: ChainState): boolean {
  return (state.features.readOnlyCompatible & ~KNOWN_FEATURES.readOnlyCompatible) !== 0n
}

function apply(state: ChainState, record: ChainRecord): ChainState {
  const next = applyBody(state, record)
  if (next.features !== state.features) expectKnownFeatures(next.features)
  return { ...next, head: headOf(record) }
}

function expectDrive(state: ChainState, record: ChainRecord): void {
  if (record.drive !== state.drive) throw broken(record, 'of another drive')
}

/** Who may sign what; then the signature itself. */
function expectSigner(state: ChainState, record: ChainRecord): void {
  const { kind, signer } = record
  const byDevice = kind === RECORD_KIND.writerTerm || kind === RECORD_KIND.epoch || kind === RECORD_KIND.snapshot
  if (!byDevice) {
    if ((signer as string) !== state.account) throw wrongSigner(record)
    expectRecordSignature(record)
    return
  }
  if (!state.devices.has(signer as never)) throw wrongSigner(record)
  expectRecordSignature(record)
  if (!isLive(state, signer)) throw new AppError('device-revoked', 'this device was removed from the drive')
  if (kind === RECORD_KIND.writerTerm) return
  if (signer !== state.writer || record.writerTerm !== state.writerTerm) {
    throw new AppError(
      'writer-fenced',
      `writer term ${record.writerTerm} is over: another mount writes to this drive`,
      {
        hint: 'mount again with --takeover to write from here',
        details: { term: state.writerTerm },
      },
    )
  }
}

function expectKnownFeatures(features: Features): void {
  const unknown = features.incompatible & ~KNOWN_FEATURES.incompatible
  if (unknown === 0n && (features.incompatible & 1n) === 1n) return
  throw new AppError('unsupported-feature', `the drive uses a feature that this program does not know`, {
    hint: 'update shardrive',
    details: { incompatible: features.incompatible.toString(16) },
  })
}

function headOf(record: ChainRecord): Head {
  return { sequence: record.sequence, hash: record.hash }
}

function broken(record: ChainRecord, why: string): AppError {
  return new AppError('chain-broken', `record ${record.sequence}: ${why}`)
}

function wrongSigner(record: ChainRecord): AppError {
  return new AppError('chain-signature', `record ${record.sequence} is signed by a key that may not sign it`)
}

function forked(state: ChainState, sequence: number): AppError {
  return new AppError('drive-forked', `the bridge shows another record ${sequence} than the one we know`, {
    details: { sequence, known: state.head.sequence },
  })
}

function rolledBack(state: ChainState, sequence: number): AppError {
  return new AppError('drive-rolled-back', `the bridge ends at record ${sequence}, we know ${state.head.sequence}`, {
    details: { sequence, known: state.head.sequence },
  })
}
