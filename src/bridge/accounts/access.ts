/**
 * Who may ask about a drive: its account, and the devices that its chain names. To everybody else a drive that exists
 * and one that does not look the same (`unknown-drive`).
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { type AccountId, type DeviceId, type DriveId, deviceId, type PeerId } from '../../model/ids.js'
import type { DriveRow } from '../persist/account-rows.js'
import type { Store } from '../persist/store.js'

/** How often a device's last visit is written down. */
const SEEN_EVERY_MS = 60_000
const SEEN_MAX = 20_000

export class Access {
  private readonly store: Store
  private readonly clock: Clock
  private readonly seen = new LRUCache<string, number>({ max: SEEN_MAX })

  constructor(parts: { store: Store; clock: Clock }) {
    this.store = parts.store
    this.clock = parts.clock
  }

  /** For calls that devices make: `unknown-drive`, `device-revoked`. */
  async deviceOf(key: PeerId, drive: DriveId): Promise<{ drive: DriveRow; device: DeviceId }> {
    const row = await this.store.accounts.loadDrive(drive)
    const device = deviceId(key)
    if (row === null) throw unknownDrive()
    const state = await this.store.accounts.deviceState(row.row, device)
    if (state === 'revoked') throw new AppError('device-revoked', 'this device was removed from the drive')
    if (state === 'unknown') throw unknownDrive()
    await this.noteSeen(device)
    return { drive: row, device }
  }

  /** For calls that the account may make as well. */
  async memberOf(key: PeerId, drive: DriveId): Promise<DriveRow> {
    const row = await this.store.accounts.loadDrive(drive)
    if (row !== null && (row.account as string) === key) return row
    return (await this.deviceOf(key, drive)).drive
  }

  /** The drives that a key may see. */
  async drivesOf(key: PeerId): Promise<DriveRow[]> {
    if (await this.store.accounts.hasAccount(key as string as AccountId)) {
      return this.store.accounts.drivesOfAccount(key as string as AccountId)
    }
    const device = deviceId(key)
    const drives = await this.store.accounts.drivesOfDevice(device)
    if (drives.length > 0) await this.noteSeen(device)
    return drives
  }

  /** A device that is live in at least one drive. */
  async isDevice(key: PeerId): Promise<boolean> {
    return (await this.store.accounts.drivesOfDevice(deviceId(key))).length > 0
  }

  private async noteSeen(device: DeviceId): Promise<void> {
    const now = this.clock.nowMs()
    const before = this.seen.get(device)
    if (before !== undefined && Math.abs(now - before) < SEEN_EVERY_MS) return
    this.seen.set(device, now)
    await this.store.accounts.noteSeen(device, now)
  }
}

function unknownDrive(): AppError {
  return new AppError('unknown-drive', 'the bridge knows no such drive of yours', {
    hint: 'check that this is the right bridge and the right phrase',
  })
}
