/** Opens the wrapped keys that a verified chain carries. Results are the caller's to wipe. */
import { AppError } from '../base/errors.js'
import type { BoxKey } from '../crypto/box-key.js'
import type { SecretBytes } from '../crypto/secret.js'
import type { DeviceId } from '../model/ids.js'
import type { ChainDevice, ChainState } from './chain-state.js'

export type TermKeys = Map<number, SecretBytes>

/** Every key term that this device was given. `wrap-broken`, `unknown-device`. */
export function openDeviceTermKeys(state: ChainState, device: DeviceId, box: BoxKey): TermKeys {
  return openAll(deviceOf(state, device).wraps, box)
}

/** The label key of this device. `wrap-broken`, `unknown-device`. */
export function openDeviceLabelKey(state: ChainState, device: DeviceId, box: BoxKey): SecretBytes {
  return box.unwrap(deviceOf(state, device).labelWrap)
}

/** Every key term, by the recovery key of the phrase. `wrap-broken`. */
export function openRecoveryTermKeys(state: ChainState, recovery: BoxKey): TermKeys {
  return openAll(state.recoveryWraps, recovery)
}

function deviceOf(state: ChainState, device: DeviceId): ChainDevice {
  const known = state.devices.get(device)
  if (!known) throw new AppError('unknown-device', 'this device does not belong to the drive')
  return known
}

function openAll(wraps: ReadonlyMap<number, Buffer>, box: BoxKey): TermKeys {
  const keys: TermKeys = new Map()
  try {
    for (const [term, wrap] of wraps) keys.set(term, box.unwrap(wrap))
  } catch (error) {
    for (const key of keys.values()) key.wipe()
    throw error
  }
  return keys
}
