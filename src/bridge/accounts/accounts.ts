/** Accounts and the drives and devices that they see. Everything secret in them is sealed where it is made. */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import type { ChainRecord } from '../../model/chain.js'
import { type AccountId, accountId, type DriveId, type PeerId } from '../../model/ids.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { startChain } from '../../permits/chain-rules.js'
import { encodeChainState } from '../../permits/chain-state.js'
import type * as api from '../../wire/api.js'
import type { Store } from '../persist/store.js'
import type { Access } from './access.js'

/** Drives of one account. */
const DRIVES_MAX = 100

export class Accounts {
  private readonly store: Store
  private readonly access: Access
  private readonly clock: Clock

  constructor(parts: { store: Store; access: Access; clock: Clock }) {
    this.store = parts.store
    this.access = parts.access
    this.clock = parts.clock
  }

  /** Idempotent; `account-conflict` when the recovery key is another than before. */
  async create(key: PeerId, request: api.AccountRequest): Promise<api.AccountReply> {
    if (key !== request.account) throw new AppError('not-yours', 'an account is made by its own key')
    const recoveryKey = Buffer.from(request.recoveryKey, 'hex')
    const saved = await this.store.accounts.saveAccount(accountId(request.account), recoveryKey, this.clock.nowMs())
    if (!saved.equals(recoveryKey)) {
      throw new AppError('account-conflict', 'the account exists with another recovery key')
    }
    return { account: request.account }
  }

  /** `unknown-account`, `drive-exists` (another genesis of this drive id), `too-many-drives`, codes of startChain. */
  async createDrive(key: PeerId, encoded: Buffer, label: Buffer): Promise<api.DriveReply> {
    const account = accountId(key)
    const record = decodeRecord(encoded)
    if (!(await this.store.accounts.hasAccount(account))) {
      throw new AppError('unknown-account', 'the bridge does not know this account', {
        hint: 'create the account first',
      })
    }
    return this.makeDrive(account, record, label)
  }

  private async makeDrive(account: AccountId, record: ChainRecord, label: Buffer): Promise<api.DriveReply> {
    const state = startChain(record, { account })
    const [device] = state.devices.keys()
    if (device === undefined) throw new AppError('malformed', 'a genesis without a device')
    const before = await this.store.accounts.loadDrive(record.drive)
    if (before === null) {
      const drives = await this.store.accounts.drivesOfAccount(account)
      if (drives.length >= DRIVES_MAX)
        throw new AppError('too-many-drives', `an account has at most ${DRIVES_MAX} drives`)
      const facts = { account, device, label, stateText: encodeChainState(state) }
      const made = await this.store.chain.createDrive(record, facts, this.clock.nowMs())
      if (made) return { drive: record.drive, head: { sequence: 0, hash: hexOf(record.hash) } }
    }
    return this.sameDrive(record.drive, record.hash)
  }

  /** A drive that the books lost, and its account: both are in the genesis, which the account key signed. */
  async recreate(genesis: ChainRecord, label: Buffer): Promise<void> {
    const { account, recoveryKey } = startChain(genesis)
    const saved = await this.store.accounts.saveAccount(account, recoveryKey, this.clock.nowMs())
    if (!saved.equals(recoveryKey)) {
      throw new AppError('account-conflict', 'the account exists with another recovery key')
    }
    await this.makeDrive(account, genesis, label)
  }

  private async sameDrive(drive: DriveId, genesisHash: Buffer): Promise<api.DriveReply> {
    const row = await this.store.accounts.loadDrive(drive)
    const hash = row && (await this.store.chain.hashAt(row.row, 0))
    if (row === null || hash === null || !hash.equals(genesisHash)) {
      throw new AppError('drive-exists', 'a drive of this id exists')
    }
    return { drive, head: { sequence: row.headSequence, hash: hexOf(row.headHash) } }
  }

  async listDrives(key: PeerId): Promise<api.DriveList> {
    const drives = await this.access.drivesOf(key)
    return {
      drives: drives.map((one) => ({
        drive: one.drive,
        label: hexOf(one.label),
        head: { sequence: one.headSequence, hash: hexOf(one.headHash) },
        bytes: one.hostBytes,
      })),
    }
  }

  async listDevices(key: PeerId, drive: DriveId): Promise<api.DeviceList> {
    const { row } = await this.access.memberOf(key, drive)
    return { devices: await this.store.accounts.devicesOfDrive(row) }
  }
}
