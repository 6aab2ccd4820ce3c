/** Accounts, their drives and the devices that a drive's chain names. */
import { type AccountId, accountId, type DeviceId, type DriveId, deviceId, driveId, idBytes } from '../../model/ids.js'
import type { Database, Statement } from '../../sqlite/driver.js'
import { guarded } from '../../sqlite/failures.js'

export interface DriveRow {
  row: number
  drive: DriveId
  account: AccountId
  label: Buffer
  headSequence: number
  headHash: Buffer
  chainBytes: number
  writer: { device: DeviceId; term: number; heartbeatAt: number } | null
  unconfirmed: number
  confirmed: number
  complete: number
  hostBytes: number
}

export interface DeviceRow {
  device: DeviceId
  addedAt: number
  revoked: boolean
  lastSeenAt: number | null
}

interface RawDrive {
  id: number
  drive: Buffer
  account: Buffer
  label: Buffer
  head_sequence: number
  head_hash: Buffer
  chain_bytes: number
  writer_device: Buffer | null
  writer_term: number
  heartbeat_at: number
  unconfirmed: number
  confirmed: number
  complete: number
  host_bytes: number
}

function driveRow(raw: RawDrive): DriveRow {
  return {
    row: raw.id,
    drive: driveId(raw.drive),
    account: accountId(raw.account),
    label: raw.label,
    headSequence: raw.head_sequence,
    headHash: raw.head_hash,
    chainBytes: raw.chain_bytes,
    writer: raw.writer_device && {
      device: deviceId(raw.writer_device),
      term: raw.writer_term,
      heartbeatAt: raw.heartbeat_at,
    },
    unconfirmed: raw.unconfirmed,
    confirmed: raw.confirmed,
    complete: raw.complete,
    hostBytes: raw.host_bytes,
  }
}

export class AccountRows {
  private readonly statements: ReturnType<typeof prepare>

  constructor(db: Database) {
    this.statements = prepare(db)
  }

  /** The recovery key on record; an account is never changed. */
  async saveAccount(account: AccountId, recoveryKey: Buffer, nowMs: number): Promise<Buffer> {
    return guarded(() => {
      this.statements.addAccount.run(idBytes(account), recoveryKey, nowMs)
      return (this.statements.account.get(idBytes(account)) as { recovery_key: Buffer }).recovery_key
    })
  }

  async hasAccount(account: AccountId): Promise<boolean> {
    return guarded(() => this.statements.account.get(idBytes(account)) !== undefined)
  }

  async loadDrive(drive: DriveId): Promise<DriveRow | null> {
    const raw = guarded(() => this.statements.drive.get(idBytes(drive)))
    return raw === undefined ? null : driveRow(raw)
  }

  async allDrives(): Promise<DriveId[]> {
    return guarded(() => this.statements.allDrives.all().map((raw) => driveId(raw.drive)))
  }

  async drivesOfAccount(account: AccountId): Promise<DriveRow[]> {
    return guarded(() => this.statements.drivesOfAccount.all(idBytes(account)).map(driveRow))
  }

  /** Drives whose chain names the device and has not revoked it. */
  async drivesOfDevice(device: DeviceId): Promise<DriveRow[]> {
    return guarded(() => this.statements.drivesOfDevice.all(idBytes(device)).map(driveRow))
  }

  async devicesOfDrive(driveRowId: number): Promise<DeviceRow[]> {
    return guarded(() =>
      this.statements.devices.all(driveRowId).map((raw) => ({
        device: deviceId(raw.device),
        addedAt: raw.added_at,
        revoked: raw.revoked === 1,
        lastSeenAt: raw.last_seen_at,
      })),
    )
  }

  async deviceState(driveRowId: number, device: DeviceId): Promise<'live' | 'revoked' | 'unknown'> {
    const found = guarded(() => this.statements.device.get(driveRowId, idBytes(device)))
    if (found === undefined) return 'unknown'
    return found.revoked === 1 ? 'revoked' : 'live'
  }

  async noteSeen(device: DeviceId, nowMs: number): Promise<void> {
    guarded(() => this.statements.seen.run(nowMs, idBytes(device)))
  }

  /** The caller has checked that the device holds the term. */
  async saveHeartbeat(row: number, device: DeviceId, term: number, nowMs: number): Promise<void> {
    guarded(() => this.statements.heartbeat.run(idBytes(device), term, nowMs, row))
  }

  async releaseWriter(row: number, device: DeviceId, term: number): Promise<void> {
    guarded(() => this.statements.release.run(row, idBytes(device), term))
  }
}

interface RawDevice {
  device: Buffer
  added_at: number
  revoked: number
  last_seen_at: number | null
}

function prepare(db: Database) {
  // Without chain_state, which can be long and is asked for apart.
  const drives = `SELECT id, drive, account, label, head_sequence, head_hash, chain_bytes, writer_device, writer_term,
    heartbeat_at, unconfirmed, confirmed, complete, host_bytes FROM drives`
  return {
    addAccount: db.prepare('INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT DO NOTHING'),
    account: db.prepare('SELECT recovery_key FROM accounts WHERE account = ?'),
    drive: db.prepare(`${drives} WHERE drive = ?`) as Statement<[Buffer], RawDrive>,
    allDrives: db.prepare('SELECT drive FROM drives ORDER BY id') as Statement<[], { drive: Buffer }>,
    drivesOfAccount: db.prepare(`${drives} WHERE account = ? ORDER BY id LIMIT 1000`) as Statement<[Buffer], RawDrive>,
    drivesOfDevice: db.prepare(
      `${drives} JOIN devices ON devices.drive_row = drives.id WHERE device = ? AND revoked = 0 ORDER BY id LIMIT 1000`,
    ) as Statement<[Buffer], RawDrive>,
    devices: db.prepare('SELECT * FROM devices WHERE drive_row = ? ORDER BY added_at, device LIMIT 1000') as Statement<
      [number],
      RawDevice
    >,
    device: db.prepare('SELECT revoked FROM devices WHERE drive_row = ? AND device = ?') as Statement<
      [number, Buffer],
      { revoked: number }
    >,
    seen: db.prepare('UPDATE devices SET last_seen_at = ? WHERE device = ?'),
    heartbeat: db.prepare('UPDATE drives SET writer_device = ?, writer_term = ?, heartbeat_at = ? WHERE id = ?'),
    release: db.prepare(
      'UPDATE drives SET writer_device = NULL, heartbeat_at = NULL WHERE id = ? AND writer_device = ? AND writer_term = ?',
    ),
  }
}
