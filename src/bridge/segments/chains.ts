/**
 * The chain of a drive: verified before it is taken (permits/chain-rules.ts), appended in one transaction with what it
 * confirms and retires. One append of a drive at a time. The bridge can refuse records, not forge them: every one is
 * signed by the account or a device.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import { KeyedMutex } from '../../base/keyed-mutex.js'
import { type ChainRecord, RECORD_KIND } from '../../model/chain.js'
import { type DeviceId, type DriveId, deviceId, type PeerId } from '../../model/ids.js'
import { decodeDeviceAdd, decodeDeviceRevoke, decodeEpoch } from '../../permits/chain-bodies.js'
import { decodeRecord } from '../../permits/chain-record.js'
import { appendRecord } from '../../permits/chain-rules.js'
import { type ChainState, decodeChainState, encodeChainState } from '../../permits/chain-state.js'
import { API_LIMITS, type Done, type HeadReply, type HeartbeatRequest, type WriterHead } from '../../wire/api.js'
import type { Access } from '../accounts/access.js'
import type { DriveRow } from '../persist/account-rows.js'
import type { ChainEffects } from '../persist/chain-rows.js'
import type { Store } from '../persist/store.js'

/** Verified states in memory; each a few kB. */
const STATES_MAX = 2_000

export interface ChainsParts {
  store: Store
  access: Access
  clock: Clock
  /** Makes a drive that the books lost, from its genesis. */
  recreate(genesis: ChainRecord, label: Buffer): Promise<void>
  /** A device lost its right; it may hold other drives. */
  onRevoked(device: DeviceId): Promise<void>
}

export class Chains {
  private readonly parts: ChainsParts
  private readonly states = new LRUCache<number, ChainState>({ max: STATES_MAX })
  private readonly appending = new KeyedMutex<DriveId>()

  constructor(parts: ChainsParts) {
    this.parts = parts
  }

  async head(key: PeerId, drive: DriveId): Promise<WriterHead> {
    const row = await this.parts.access.memberOf(key, drive)
    return { ...headReply(row.headSequence, row.headHash), writer: row.writer }
  }

  async read(key: PeerId, drive: DriveId, from: number): Promise<Buffer[]> {
    const row = await this.parts.access.memberOf(key, drive)
    return this.parts.store.chain.read(row.row, from, API_LIMITS.chainPageBytesMax)
  }

  /** The record at its place; told twice, it is appended once. Codes: those of chain-rules.ts and chain-rows.ts. */
  async append(key: PeerId, drive: DriveId, encoded: Buffer): Promise<HeadReply> {
    const record = decodeRecord(encoded)
    if (record.drive !== drive) throw new AppError('malformed', 'the record is of another drive')
    if (record.signer !== key) throw new AppError('wrong-signer', 'a record is brought by the key that signed it')
    const effects = await this.appending.run(drive, () => this.appendAlone(key, drive, record))
    for (const device of effects?.revokeDevices ?? []) await this.parts.onRevoked(device)
    const row = await this.parts.access.memberOf(key, drive)
    return headReply(row.headSequence, row.headHash)
  }

  private async appendAlone(key: PeerId, drive: DriveId, record: ChainRecord): Promise<ChainEffects | null> {
    const { store, clock, access } = this.parts
    const row = await access.memberOf(key, drive)
    if (await this.stands(row, record)) return null
    const next = appendRecord(await this.stateOf(row), record)
    const effects = { ...effectsOf(record), stateText: encodeChainState(next) }
    await store.chain.append(row.row, record, effects, clock.nowMs())
    this.states.set(row.row, detached(next))
    return effects
  }

  /**
   * Records of a drive that this bridge lost, from its head on; of one that it does not know at all, from the genesis. Each is
   * signed by who may sign it, so it does not matter who brings them: a device that the books do not name (yet) may. What
   * stands here already is passed over. Codes: those of append, `drive-exists`, `account-conflict`.
   */
  async restore(key: PeerId, drive: DriveId, encoded: readonly Buffer[], label: Buffer): Promise<HeadReply> {
    const { store, access } = this.parts
    const records = encoded.map(decodeRecord)
    if (records.length === 0 || records.some((one) => one.drive !== drive)) {
      throw new AppError('malformed', 'records of one drive, at least one')
    }
    const effects = await this.appending.run(drive, async () => {
      const [first] = records as [ChainRecord]
      if ((await store.accounts.loadDrive(drive)) === null) await this.parts.recreate(first, label)
      // Only books that may be old can have lost a device; to a stranger no drive is there.
      else if (!store.frozen) await access.memberOf(key, drive)
      return this.restoreAlone(drive, records).catch(async (error: unknown) => {
        if (isCode(error, 'head-moved')) await access.memberOf(key, drive)
        throw error
      })
    })
    for (const device of effects.flatMap((one) => one.revokeDevices)) await this.parts.onRevoked(device)
    const row = await this.rowOf(drive)
    return headReply(row.headSequence, row.headHash)
  }

  private async restoreAlone(drive: DriveId, records: readonly ChainRecord[]): Promise<ChainEffects[]> {
    const { store, clock } = this.parts
    const row = await this.rowOf(drive)
    let state = await this.stateOf(row)
    const fresh: { record: ChainRecord; effects: ChainEffects }[] = []
    for (const record of records) {
      if (await this.stands(row, record)) continue
      state = appendRecord(state, record)
      fresh.push({ record, effects: { ...effectsOf(record), stateText: encodeChainState(state) } })
    }
    if (fresh.length === 0) return []
    await store.chain.restore(row.row, fresh, clock.nowMs())
    this.states.set(row.row, detached(state))
    return fresh.map((one) => one.effects)
  }

  private async rowOf(drive: DriveId): Promise<DriveRow> {
    const row = await this.parts.store.accounts.loadDrive(drive)
    if (row === null) throw new AppError('unknown-drive', 'the bridge knows no such drive of yours')
    return row
  }

  /** A lost reply makes a device send the same record again. */
  private async stands(row: DriveRow, record: ChainRecord): Promise<boolean> {
    if (record.sequence > row.headSequence) return false
    const hash = await this.parts.store.chain.hashAt(row.row, record.sequence)
    return hash?.equals(record.hash) ?? false
  }

  private async stateOf(row: DriveRow): Promise<ChainState> {
    const known = this.states.get(row.row)
    if (known?.head.hash.equals(row.headHash)) return known
    return decodeChainState(await this.parts.store.chain.loadState(row.row))
  }

  /** `writer-fenced` unless the device holds this term; `released` says that it has gone. */
  async heartbeat(key: PeerId, drive: DriveId, request: HeartbeatRequest): Promise<Done> {
    const { store, access, clock } = this.parts
    const { drive: row, device } = await access.deviceOf(key, drive)
    const state = await this.stateOf(row)
    if (state.writer !== device || state.writerTerm !== request.term) {
      throw new AppError('writer-fenced', `writer term ${request.term} is over: another mount writes to this drive`, {
        hint: 'mount again with --takeover to write from here',
        details: { term: state.writerTerm },
      })
    }
    if (request.released === true) await store.accounts.releaseWriter(row.row, device, request.term)
    else await store.accounts.saveHeartbeat(row.row, device, request.term, clock.nowMs())
    return {}
  }
}

function effectsOf(record: ChainRecord): Omit<ChainEffects, 'stateText'> {
  const none = { addDevices: [], revokeDevices: [], confirm: [], retire: [], writer: null }
  switch (record.kind) {
    case RECORD_KIND.deviceAdd:
      return { ...none, addDevices: [decodeDeviceAdd(record.body).device] }
    case RECORD_KIND.deviceRevoke:
      return { ...none, revokeDevices: [decodeDeviceRevoke(record.body)] }
    case RECORD_KIND.writerTerm:
      return { ...none, writer: { device: deviceId(record.signer), term: record.writerTerm } }
    case RECORD_KIND.epoch:
    case RECORD_KIND.snapshot: {
      const { confirm, retire } = decodeEpoch(record.body)
      return { ...none, confirm, retire }
    }
    default:
      return none
  }
}

/** Buffers of a state may be views of a record of 8 MiB: only the text is kept. */
function detached(state: ChainState): ChainState {
  return decodeChainState(encodeChainState(state))
}

function headReply(sequence: number, hash: Buffer): HeadReply {
  return { sequence, hash: hexOf(hash) }
}
