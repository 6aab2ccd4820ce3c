/** The drive's term keys on this device, in guarded memory: opened from the wraps that the chain carries. */
import { AppError } from '../../base/errors.js'
import type { BoxKey } from '../../crypto/box-key.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { DeviceId } from '../../model/ids.js'
import type { ChainState } from '../../permits/chain-state.js'
import { openDeviceTermKeys, type TermKeys } from '../../permits/term-keys.js'
import type { DriveTerms } from './drive-chain.js'

export class DeviceTerms implements DriveTerms {
  private readonly device: DeviceId
  private readonly box: BoxKey
  private keys: TermKeys = new Map()
  private newest = 0

  constructor(device: DeviceId, box: BoxKey) {
    this.device = device
    this.box = box
  }

  learn(state: ChainState): void {
    if (state.keyTerm <= this.newest) return
    // A revoked device is given no newer terms; it keeps those that it has.
    if (!state.devices.get(this.device)?.wraps.has(state.keyTerm)) return
    const opened = openDeviceTermKeys(state, this.device, this.box)
    for (const [term, key] of opened) {
      if (this.keys.has(term)) key.wipe()
      else this.keys.set(term, key)
    }
    this.newest = state.keyTerm
  }

  key(term: number): SecretBytes {
    const key = this.keys.get(term)
    if (key) return key
    throw new AppError('unknown-key-term', `this device was not given the keys of term ${term}`, {
      hint: 'a device that was revoked sees no newer data; recover with the phrase to join again',
    })
  }

  /** What new segments are sealed with. */
  current(): { keyTerm: number; termKey: SecretBytes } {
    return { keyTerm: this.newest, termKey: this.key(this.newest) }
  }

  wipe(): void {
    for (const key of this.keys.values()) key.wipe()
    this.keys = new Map()
    this.newest = 0
  }
}
