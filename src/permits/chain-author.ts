/** Makes the next record of a chain, ready to append: links, terms and signer filled in from the verified state. */
import { assert } from '../base/assert.js'
import { type BoxKey, wrapKey } from '../crypto/box-key.js'
import type { SecretBytes } from '../crypto/secret.js'
import { boxPublicKeyOf, type SigningKey } from '../crypto/signing-key.js'
import { type ChainRecord, type EpochBody, RECORD_KIND, type RecordKind } from '../model/chain.js'
import { accountId, type DeviceId, type DriveId, idBytes } from '../model/ids.js'
import * as bodies from './chain-bodies.js'
import { GENESIS_PREVIOUS, signRecord } from './chain-record.js'
import { type ChainState, isLive } from './chain-state.js'

export interface GenesisParts {
  drive: DriveId
  timeMs: number
  account: SigningKey
  recovery: BoxKey
  device: DeviceId
  /** Of key term 1. */
  termKey: SecretBytes
  labelKey: SecretBytes
}

export function makeGenesis(parts: GenesisParts): ChainRecord {
  const body = bodies.encodeGenesis({
    features: { compatible: 0n, readOnlyCompatible: 0n, incompatible: 1n },
    account: accountId(parts.account.id),
    recoveryKey: parts.recovery.publicKey,
    device: parts.device,
    recoveryWrap: wrapKey(parts.termKey, parts.recovery.publicKey),
    deviceWrap: wrapToDevice(parts.termKey, parts.device),
    labelWrap: wrapToDevice(parts.labelKey, parts.device),
  })
  return signRecord(
    {
      kind: RECORD_KIND.genesis,
      drive: parts.drive,
      sequence: 0,
      previous: GENESIS_PREVIOUS,
      timeMs: parts.timeMs,
      writerTerm: 0,
      keyTerm: 1,
      body,
    },
    parts.account,
  )
}

/** Wraps every key term so far, and the label key, to the new device. `termKeys` holds all of them. */
export function makeDeviceAdd(
  state: ChainState,
  parts: { device: DeviceId; termKeys: ReadonlyMap<number, SecretBytes>; labelKey: SecretBytes; timeMs: number },
  account: SigningKey,
): ChainRecord {
  const terms = Array.from({ length: state.keyTerm }, (_, at) => {
    const key = parts.termKeys.get(at + 1)
    assert(key !== undefined, `key term ${at + 1} is missing`)
    return { term: at + 1, wrap: wrapToDevice(key, parts.device) }
  })
  const labelWrap = wrapToDevice(parts.labelKey, parts.device)
  const body = bodies.encodeDeviceAdd({ device: parts.device, terms, labelWrap })
  return next(state, RECORD_KIND.deviceAdd, body, parts.timeMs, account)
}

/** Follow it with makeKeyTerm: until then the revoked device can read what is written. */
export function makeDeviceRevoke(
  state: ChainState,
  device: DeviceId,
  timeMs: number,
  account: SigningKey,
): ChainRecord {
  return next(state, RECORD_KIND.deviceRevoke, bodies.encodeDeviceRevoke(device), timeMs, account)
}

/** A new key term for every live device and the recovery key. */
export function makeKeyTerm(state: ChainState, termKey: SecretBytes, timeMs: number, account: SigningKey): ChainRecord {
  const live = [...state.devices.keys()].filter((device) => isLive(state, device))
  const term = state.keyTerm + 1
  const body = bodies.encodeKeyTerm({
    term,
    recoveryWrap: wrapKey(termKey, state.recoveryKey),
    wraps: live.map((device) => ({ device, wrap: wrapToDevice(termKey, device) })),
  })
  return next(state, RECORD_KIND.keyTerm, body, timeMs, account, { keyTerm: term })
}

export function makeFeatures(
  state: ChainState,
  features: bodies.Features,
  timeMs: number,
  account: SigningKey,
): ChainRecord {
  return next(state, RECORD_KIND.features, bodies.encodeFeatures(features), timeMs, account)
}

/** Claims the next writer term for this device. */
export function makeWriterTerm(state: ChainState, timeMs: number, device: SigningKey): ChainRecord {
  const writerTerm = state.writerTerm + 1
  return next(state, RECORD_KIND.writerTerm, bodies.encodeWriterTerm(writerTerm), timeMs, device, { writerTerm })
}

/**
 * An epoch or a snapshot; its payload is sealed under the key term in force (state.keyTerm). `writerTerm`: the term
 * that this device claimed. `record-too-large`.
 */
export function makeEpoch(
  state: ChainState,
  kind: typeof RECORD_KIND.epoch | typeof RECORD_KIND.snapshot,
  parts: { body: EpochBody; writerTerm: number; timeMs: number },
  device: SigningKey,
): ChainRecord {
  const { writerTerm, timeMs } = parts
  return next(state, kind, bodies.encodeEpoch(parts.body), timeMs, device, { writerTerm })
}

function next(
  state: ChainState,
  kind: RecordKind,
  body: Buffer,
  timeMs: number,
  key: SigningKey,
  terms: { writerTerm?: number; keyTerm?: number } = {},
): ChainRecord {
  const { drive, head } = state
  const { writerTerm = 0, keyTerm = state.keyTerm } = terms
  const link = { sequence: head.sequence + 1, previous: head.hash }
  return signRecord({ kind, drive, ...link, timeMs, writerTerm, keyTerm, body }, key)
}

function wrapToDevice(key: SecretBytes, device: DeviceId): Buffer {
  return wrapKey(key, boxPublicKeyOf(idBytes(device)))
}
