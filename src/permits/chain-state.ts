/** What a verified chain says, and the same as JSON. Values are never changed in place: each record gives a new state. */

import { hexOf } from '../base/hex.js'
import type { Head } from '../model/chain.js'
import { type AccountId, accountId, type DeviceId, type DriveId, deviceId, driveId } from '../model/ids.js'
import { Count, Hex16, Hex32 } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import { closed, type Static, Type } from '../wire/schema.js'
import type { Features } from './chain-bodies.js'

export interface ChainDevice {
  addedSequence: number
  /** Signer's clock; for people. */
  addedAtMs: number
  /** Sequence of the record that revoked it; null while it is live. A revoked key never comes back. */
  revokedSequence: number | null
  /** Term keys wrapped to this device, by key term. */
  wraps: ReadonlyMap<number, Buffer>
  labelWrap: Buffer
}

export interface SnapshotMark {
  epoch: number
  sequence: number
  hash: Buffer
}

export interface ChainState {
  drive: DriveId
  account: AccountId
  /** X25519. */
  recoveryKey: Buffer
  features: Features
  head: Head
  /** In force. */
  keyTerm: number
  /** Term keys wrapped to the recovery key, by key term. */
  recoveryWraps: ReadonlyMap<number, Buffer>
  devices: ReadonlyMap<DeviceId, ChainDevice>
  /** Highest that was claimed; 0: none. */
  writerTerm: number
  /** Who claimed it; null when nobody did or that device was revoked. */
  writer: DeviceId | null
  /** Last published epoch; 0: none. */
  epoch: number
  /** The last two, older first. */
  snapshots: readonly SnapshotMark[]
}

export function isLive(state: ChainState, device: string): boolean {
  return state.devices.get(device as DeviceId)?.revokedSequence === null
}

const Wrap = Type.String({ pattern: '^[0-9a-f]{160}$' })
const Wraps = Type.Array(Type.Tuple([Count, Wrap]))
const Bits = Type.String({ pattern: '^[0-9a-f]{16}$' })

const StateJson = closed({
  version: Type.Literal(1),
  drive: Hex16,
  account: Hex32,
  recoveryKey: Hex32,
  features: closed({ compatible: Bits, readOnlyCompatible: Bits, incompatible: Bits }),
  head: closed({ sequence: Count, hash: Hex32 }),
  keyTerm: Count,
  recoveryWraps: Wraps,
  devices: Type.Array(
    closed({
      device: Hex32,
      addedSequence: Count,
      addedAtMs: Count,
      revokedSequence: Type.Union([Count, Type.Null()]),
      wraps: Wraps,
      labelWrap: Wrap,
    }),
  ),
  writerTerm: Count,
  writer: Type.Union([Hex32, Type.Null()]),
  epoch: Count,
  snapshots: Type.Array(closed({ epoch: Count, sequence: Count, hash: Hex32 }), { maxItems: 2 }),
})
type StateJson = Static<typeof StateJson>

export function encodeChainState(state: ChainState): string {
  const json: StateJson = {
    version: 1,
    drive: state.drive,
    account: state.account,
    recoveryKey: hexOf(state.recoveryKey),
    features: {
      compatible: bitsText(state.features.compatible),
      readOnlyCompatible: bitsText(state.features.readOnlyCompatible),
      incompatible: bitsText(state.features.incompatible),
    },
    head: { sequence: state.head.sequence, hash: hexOf(state.head.hash) },
    keyTerm: state.keyTerm,
    recoveryWraps: wrapsText(state.recoveryWraps),
    devices: [...state.devices].map(([device, one]) => ({
      device,
      addedSequence: one.addedSequence,
      addedAtMs: one.addedAtMs,
      revokedSequence: one.revokedSequence,
      wraps: wrapsText(one.wraps),
      labelWrap: hexOf(one.labelWrap),
    })),
    writerTerm: state.writerTerm,
    writer: state.writer,
    epoch: state.epoch,
    snapshots: state.snapshots.map((one) => ({ epoch: one.epoch, sequence: one.sequence, hash: hexOf(one.hash) })),
  }
  return JSON.stringify(json)
}

/** `malformed` when the text is not what encodeChainState wrote. It carries no signature: keep it where you keep trust. */
export function decodeChainState(text: string): ChainState {
  const json = decodeJson(StateJson, text, 'chain state')
  const { features } = json
  return {
    drive: driveId(json.drive),
    account: accountId(json.account),
    recoveryKey: Buffer.from(json.recoveryKey, 'hex'),
    features: {
      compatible: BigInt(`0x${features.compatible}`),
      readOnlyCompatible: BigInt(`0x${features.readOnlyCompatible}`),
      incompatible: BigInt(`0x${features.incompatible}`),
    },
    head: { sequence: json.head.sequence, hash: Buffer.from(json.head.hash, 'hex') },
    keyTerm: json.keyTerm,
    recoveryWraps: wrapsOf(json.recoveryWraps),
    devices: new Map(
      json.devices.map(({ device, wraps, labelWrap, ...rest }) => [
        deviceId(device),
        { ...rest, wraps: wrapsOf(wraps), labelWrap: Buffer.from(labelWrap, 'hex') },
      ]),
    ),
    writerTerm: json.writerTerm,
    writer: json.writer === null ? null : deviceId(json.writer),
    epoch: json.epoch,
    snapshots: json.snapshots.map(({ hash, ...rest }) => ({ ...rest, hash: Buffer.from(hash, 'hex') })),
  }
}

function bitsText(bits: bigint): string {
  return bits.toString(16).padStart(16, '0')
}

function wrapsText(wraps: ReadonlyMap<number, Buffer>): [number, string][] {
  return [...wraps].map(([term, wrap]) => [term, hexOf(wrap)])
}

function wrapsOf(pairs: readonly (readonly [number, string])[]): Map<number, Buffer> {
  return new Map(pairs.map(([term, wrap]) => [term, Buffer.from(wrap, 'hex')]))
}
