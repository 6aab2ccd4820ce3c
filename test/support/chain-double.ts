/**
 * A bridge for one drive's chain, in memory: it runs the real rules (permits/chain-rules.ts) and the bridge's own (a record
 * that stands is answered again, confirmed segments must be stored), and can be told to fail, to lose answers and to lie.
 */
import { AppError } from '../../src/base/errors.js'
import { systemRandom } from '../../src/base/random.js'
import { BoxKey } from '../../src/crypto/box-key.js'
import { drawTermKey } from '../../src/crypto/keys.js'
import type { SecretBytes } from '../../src/crypto/secret.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { type ChainRecord, type Head, RECORD_KIND } from '../../src/model/chain.js'
import { type DeviceId, deviceId, driveId, type SegmentId } from '../../src/model/ids.js'
import type { ChainBridge } from '../../src/mount/sync/drive-chain.js'
import * as author from '../../src/permits/chain-author.js'
import { decodeEpoch } from '../../src/permits/chain-bodies.js'
import { decodeRecord } from '../../src/permits/chain-record.js'
import { appendRecord, startChain } from '../../src/permits/chain-rules.js'
import type { ChainState } from '../../src/permits/chain-state.js'
import { openRecoveryTermKeys } from '../../src/permits/term-keys.js'
import { keyOf } from './named.js'
import { secretOf } from './secrets.js'

export const DRIVE = driveId('d'.repeat(32))
const TIME_MS = 1_800_000_000_000

export class ChainDouble {
  readonly account: SigningKey = keyOf('account')
  readonly recovery = BoxKey.fromSeed(secretOf(Buffer.alloc(32, 9)))
  private readonly labelKey: SecretBytes = drawTermKey(systemRandom)
  readonly records: ChainRecord[] = []
  state: ChainState
  /** Stored at c receipts, as far as the bridge knows; null: whatever is confirmed was. */
  stored: Set<SegmentId> | null = null
  readonly confirmed = new Set<SegmentId>()
  readonly retired = new Set<SegmentId>()
  /** Records a page. */
  pageRecords = 3
  /** The next appends: refused before, or taken and the answer lost. */
  failures: ('before' | 'after')[] = []
  appends = 0
  /** What every append is refused with. */
  refuse: (() => AppError) | null = null

  constructor(first: SigningKey) {
    const termKey = drawTermKey(systemRandom)
    const parts = {
      ...{ drive: DRIVE, timeMs: TIME_MS, account: this.account, recovery: this.recovery },
      ...{ device: deviceId(first.id), termKey, labelKey: this.labelKey },
    }
    const genesis = decodeRecord(author.makeGenesis(parts).encoded)
    this.state = startChain(genesis)
    this.records.push(genesis)
  }

  async head(): Promise<Head> {
    return this.state.head
  }

  async page(sequence: number): Promise<Buffer[]> {
    return this.records.slice(sequence, sequence + this.pageRecords).map((one) => Buffer.from(one.encoded))
  }

  /** As a ChainBridge; the field of that name holds the chain itself. */
  get bridge(): ChainBridge {
    return {
      head: () => this.head(),
      records: (sequence) => this.page(sequence),
      append: (encoded) => this.append(encoded),
    }
  }

  async append(encoded: Buffer): Promise<void> {
    this.appends++
    if (this.refuse !== null) throw this.refuse()
    const failure = this.failures.shift()
    const lost = () => new AppError('bridge-unreachable', 'no answer', { retry: 'later' })
    if (failure === 'before') throw lost()
    this.take(decodeRecord(Buffer.from(encoded)))
    if (failure === 'after') throw lost()
  }

  private take(record: ChainRecord): void {
    if (this.records[record.sequence]?.hash.equals(record.hash)) return
    const next = appendRecord(this.state, record)
    if (record.kind === RECORD_KIND.epoch || record.kind === RECORD_KIND.snapshot) {
      const { confirm, retire } = decodeEpoch(record.body)
      for (const segment of confirm) {
        if (this.stored?.has(segment) === false) throw new AppError('unknown-segment', 'the segment is not placed')
      }
      for (const segment of confirm) this.confirmed.add(segment)
      for (const segment of retire) this.retired.add(segment)
    }
    this.state = next
    this.records.push(record)
  }

  /** Somebody with the phrase adds a device: a record that comes between. */
  addDevice(key: SigningKey): void {
    const termKeys = openRecoveryTermKeys(this.state, this.recovery)
    const parts = { device: deviceId(key.id), termKeys, labelKey: this.labelKey, timeMs: TIME_MS }
    this.take(author.makeDeviceAdd(this.state, parts, this.account))
  }

  revoke(device: DeviceId): void {
    this.take(author.makeDeviceRevoke(this.state, device, TIME_MS, this.account))
  }

  turnKey(): void {
    this.take(author.makeKeyTerm(this.state, drawTermKey(systemRandom), TIME_MS, this.account))
  }

  claim(key: SigningKey): void {
    this.take(author.makeWriterTerm(this.state, TIME_MS, key))
  }

  /** Epoch numbers of the chain, in order. */
  get epochs(): number[] {
    return this.of(RECORD_KIND.epoch)
  }

  get snapshots(): number[] {
    return this.of(RECORD_KIND.snapshot)
  }

  private of(kind: number): number[] {
    return this.records.filter((one) => one.kind === kind).map((one) => decodeEpoch(one.body).epoch)
  }
}
