/** What each kind of record does to the state of a chain; link, signer and signature are checked (chain-rules.ts). */
import { AppError } from '../base/errors.js'
import { type ChainRecord, RECORD_KIND } from '../model/chain.js'
import { deviceId } from '../model/ids.js'
import * as bodies from './chain-bodies.js'
import { type ChainState, isLive } from './chain-state.js'

/** Ever added. Together these two bound a state (22 MB of wraps at the very worst; a few kB in life). */
export const DEVICES_MAX = 256
export const KEY_TERMS_MAX = 1_024

/** The next state, its head still the old one. */
export function applyBody(state: ChainState, record: ChainRecord): ChainState {
  switch (record.kind) {
    case RECORD_KIND.genesis:
      throw broken(record, 'a second genesis')
    case RECORD_KIND.deviceAdd:
      expectTerms(record, 0, state.keyTerm)
      return addDevice(state, record)
    case RECORD_KIND.deviceRevoke:
      expectTerms(record, 0, state.keyTerm)
      return revokeDevice(state, record)
    case RECORD_KIND.keyTerm:
      expectTerms(record, 0, state.keyTerm + 1)
      return turnKeyTerm(state, record)
    case RECORD_KIND.writerTerm:
      return claimWriterTerm(state, record)
    case RECORD_KIND.epoch:
    case RECORD_KIND.snapshot:
      expectKeyTerm(state, record)
      return publish(state, record)
    case RECORD_KIND.features:
      expectTerms(record, 0, state.keyTerm)
      return { ...state, features: bodies.decodeFeatures(record.body) }
  }
}

function addDevice(state: ChainState, record: ChainRecord): ChainState {
  const body = bodies.decodeDeviceAdd(record.body)
  if (state.devices.has(body.device)) throw broken(record, 'the device was added before')
  if (state.devices.size >= DEVICES_MAX) throw broken(record, `more than ${DEVICES_MAX} devices`)
  const whole = body.terms.length === state.keyTerm && body.terms.every(({ term }, at) => term === at + 1)
  if (!whole) throw broken(record, 'a new device gets every key term, in order')
  const device = {
    addedSequence: record.sequence,
    addedAtMs: record.timeMs,
    revokedSequence: null,
    wraps: new Map(body.terms.map(({ term, wrap }) => [term, wrap])),
    labelWrap: body.labelWrap,
  }
  return { ...state, devices: new Map(state.devices).set(body.device, device) }
}

function revokeDevice(state: ChainState, record: ChainRecord): ChainState {
  const device = bodies.decodeDeviceRevoke(record.body)
  const known = state.devices.get(device)
  if (!known || known.revokedSequence !== null) throw broken(record, 'no live device to revoke')
  const devices = new Map(state.devices).set(device, { ...known, revokedSequence: record.sequence })
  return { ...state, devices, writer: state.writer === device ? null : state.writer }
}

function turnKeyTerm(state: ChainState, record: ChainRecord): ChainState {
  const body = bodies.decodeKeyTerm(record.body)
  if (body.term !== state.keyTerm + 1) throw broken(record, 'key terms rise by one')
  if (body.term > KEY_TERMS_MAX) throw broken(record, `more than ${KEY_TERMS_MAX} key terms`)
  const devices = new Map(state.devices)
  for (const { device, wrap } of body.wraps) {
    const known = devices.get(device)
    if (!known || !isLive(state, device) || known.wraps.has(body.term)) {
      throw broken(record, 'a wrap for no live device, or a second one')
    }
    devices.set(device, { ...known, wraps: new Map(known.wraps).set(body.term, wrap) })
  }
  for (const [device, one] of devices) {
    if (isLive(state, device) && !one.wraps.has(body.term)) throw broken(record, 'a live device gets no wrap')
  }
  const recoveryWraps = new Map(state.recoveryWraps).set(body.term, body.recoveryWrap)
  return { ...state, keyTerm: body.term, devices, recoveryWraps }
}

function claimWriterTerm(state: ChainState, record: ChainRecord): ChainState {
  expectKeyTerm(state, record)
  const claimed = bodies.decodeWriterTerm(record.body)
  if (claimed !== state.writerTerm + 1) throw broken(record, 'writer terms rise by one')
  expectTerms(record, claimed, state.keyTerm)
  return { ...state, writerTerm: claimed, writer: deviceId(record.signer) }
}

/** Far above what is ever cut and not published; without a bound one record could use up all numbers that there are (2^53). */
const EPOCH_GAP_MAX = 2 ** 32

/** Epoch numbers rise; gaps are allowed (an epoch that was cut and never published). */
function publish(state: ChainState, record: ChainRecord): ChainState {
  const { epoch } = bodies.decodeEpoch(record.body)
  if (record.kind === RECORD_KIND.epoch) {
    if (epoch <= state.epoch) throw broken(record, `epoch ${epoch} after epoch ${state.epoch}`)
    if (epoch - state.epoch > EPOCH_GAP_MAX) throw broken(record, `epoch ${epoch} is too far from epoch ${state.epoch}`)
    return { ...state, epoch }
  }
  const before = state.snapshots.at(-1)
  if (epoch > state.epoch) throw broken(record, `a snapshot of epoch ${epoch}, published is ${state.epoch}`)
  if (before && epoch < before.epoch) throw broken(record, 'a snapshot older than the one before')
  const mark = { epoch, sequence: record.sequence, hash: record.hash }
  return { ...state, snapshots: [...state.snapshots.slice(-1), mark] }
}

/** A batch sealed under an older term could be read by a device that was revoked since. */
function expectKeyTerm(state: ChainState, record: ChainRecord): void {
  if (record.keyTerm === state.keyTerm) return
  if (record.keyTerm > state.keyTerm) throw broken(record, `key term ${record.keyTerm} does not exist yet`)
  throw new AppError('key-term-stale', `key term ${record.keyTerm} is over, ${state.keyTerm} is in force`, {
    retry: 'later',
    details: { keyTerm: state.keyTerm },
  })
}

function expectTerms(record: ChainRecord, writerTerm: number, keyTerm: number): void {
  if (record.writerTerm !== writerTerm || record.keyTerm !== keyTerm) throw broken(record, 'terms do not fit')
}

function broken(record: ChainRecord, why: string): AppError {
  return new AppError('chain-broken', `record ${record.sequence}: ${why}`)
}
