/** A device that writes to a chain double: real ledger, real chain, hosts that keep plain bytes; it may die at any step. */
import path from 'node:path'
import { silentLog } from '../../../../src/base/log.js'
import { systemRandom } from '../../../../src/base/random.js'
import type { SigningKey } from '../../../../src/crypto/signing-key.js'
import { deviceId } from '../../../../src/model/ids.js'
import { type LedgerClient, openLedger } from '../../../../src/mount/metadata/client.js'
import type { Cut } from '../../../../src/mount/metadata/types.js'
import { DriveChain, loadChainState, saveChainState } from '../../../../src/mount/sync/drive-chain.js'
import { EpochPublisher } from '../../../../src/mount/sync/publisher.js'
import { Snapshotter } from '../../../../src/mount/sync/snapshotter.js'
import { DeviceTerms } from '../../../../src/mount/sync/term-keys.js'
import { startChain } from '../../../../src/permits/chain-rules.js'
import type { ChainDouble } from '../../../support/chain-double.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { type FakeHosts, key } from '../metadata/support.js'

export class Crash extends Error {}

/** Counts the calls that cross a border; dies before or after one of them, and nothing answers from then on. */
export class Fate {
  count = 0
  dead = false
  diesAt = Number.POSITIVE_INFINITY
  dies: 'before' | 'after' = 'before'
  /** Dies at the first call of this name. */
  name: string | null = null
  private tellDeath: () => void = () => {}
  /** What was under way then never ends. */
  readonly death = new Promise<void>((resolve) => {
    this.tellDeath = resolve
  })

  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name) => {
        const value = Reflect.get(of, name)
        if (typeof value !== 'function') return value
        if (name === 'progress' || name === 'exportSnapshot' || name === 'fits') return value.bind(of)
        return (...args: unknown[]) => this.step(() => value.apply(of, args), String(name))
      },
    })
  }

  private async step(call: () => unknown, name: string): Promise<unknown> {
    if (this.dead) return new Promise(() => {})
    this.count++
    const isLast = this.count === this.diesAt || name === this.name
    if (isLast && this.dies === 'before') this.die()
    const result = await call()
    if (isLast) this.die()
    if (this.dead) return new Promise(() => {})
    return result
  }

  private die(): never {
    this.dead = true
    this.tellDeath()
    throw new Crash('the process died')
  }
}

export interface DeviceOptions {
  folder: string
  chain: ChainDouble
  hosts: FakeHosts
  key: SigningKey
  fate?: Fate
  snapshotBytes?: number
  name?: string
}

export class Device {
  readonly ledger: LedgerClient
  readonly chain: DriveChain
  readonly publisher: EpochPublisher
  readonly snapshotter: Snapshotter
  readonly clock = new DrivenClock()
  readonly stopped: string[] = []
  private readonly ending = new AbortController()
  private running: Promise<void> | null = null
  private readonly fate: Fate
  /** Stored segments of the epoch in work; made anew by every process. */
  stores = 0

  private constructor(options: DeviceOptions, ledger: LedgerClient, state: ReturnType<typeof startChain>) {
    const { chain, hosts, fate = new Fate() } = options
    this.ledger = ledger
    this.fate = fate
    const guarded = fate.wrap(ledger)
    const terms = new DeviceTerms(deviceId(options.key.id), options.key.boxKey())
    terms.learn(state)
    const common = { clock: this.clock, log: silentLog }
    this.chain = new DriveChain(state, {
      ...common,
      bridge: fate.wrap(chain.bridge),
      ledger: guarded,
      terms,
      device: options.key,
      random: systemRandom,
      onChanges: async () => {},
    })
    const store = async (cut: Cut) => {
      this.stores++
      const bytes = await guarded.readStaged(cut.stagedRows.map((row) => row.stagedId))
      const { mapping, infos } = hosts.store(cut.stagedRows, bytes)
      await guarded.recordPendingSegments(infos.map((info) => info.segment))
      for (const { segment } of infos) chain.stored?.add(segment)
      return { mapping, segments: infos }
    }
    const storeSegment = async (plain: Buffer[]) => {
      const info = hosts.seal(Buffer.concat(plain))
      await guarded.recordPendingSegments([info.segment])
      chain.stored?.add(info.segment)
      return info
    }
    this.snapshotter = new Snapshotter(
      {
        ledger: guarded,
        storeSegment,
        scheme: async () => ({ dataShards: 1, totalShards: 3 }),
        chain: this.chain,
        log: silentLog,
      },
      options.snapshotBytes ?? Number.POSITIVE_INFINITY,
    )
    this.publisher = new EpochPublisher({
      ...common,
      ledger: guarded,
      storer: { store },
      chain: this.chain,
      onPublished: (epoch, bytes, signal) => this.snapshotter.published(epoch, bytes, signal),
      onStopped: (error) => this.stopped.push(error.code),
    })
  }

  static async open(options: DeviceOptions): Promise<Device> {
    const file = path.join(options.folder, `${options.name ?? 'ledger'}.db`)
    const ledger = await openLedger({ file, stagedKey: key() })
    let state = await loadChainState(ledger)
    if (state === null) {
      state = startChain(options.chain.records[0] as never)
      await saveChainState(ledger, state)
    }
    const device = new Device(options, ledger, state)
    await device.snapshotter.load()
    return device
  }

  async cut(): Promise<Cut | null> {
    const view = this.snapshotter.wantsView()
    const cut = await this.ledger.cut({ view })
    if (cut !== null) this.snapshotter.noteCut(cut, view)
    this.publisher.poke()
    return cut
  }

  /** Follows, claims if need be, and publishes until told otherwise; rejects with the crash. */
  async publish(): Promise<void> {
    const { signal } = this.ending
    await this.chain.follow(signal)
    if (!this.chain.isWriter) await this.chain.claimWriter(signal)
    this.running ??= this.publisher.run(signal)
    await this.running
  }

  /** Publishes everything (then waits for `also`); time passes as it is needed. */
  publishAll(also?: Promise<unknown>): Promise<void> {
    return this.untilPublished(this.publish(), also)
  }

  /** The same, by who believes to hold the writer term. */
  publishClaimed(): Promise<void> {
    this.running ??= this.publisher.run(this.ending.signal)
    return this.untilPublished(this.running)
  }

  private async untilPublished(done: Promise<void>, also?: Promise<unknown>): Promise<void> {
    await this.untilQuiet(done)
    await also
    this.ending.abort(new Error('the test is over'))
    await Promise.race([done, this.fate.death])
  }

  /** Until nothing is pending, or publishing has ended. */
  private async untilQuiet(done: Promise<void>): Promise<void> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    done.then(over, over)
    while (this.ledger.progress().newestPending !== null && this.stopped.length === 0 && !isOver && !this.fate.dead) {
      await Promise.race([this.clock.advance(1_000), done, this.fate.death])
    }
  }

  /** Publishes what is cut, and goes on; close() ends it. */
  async publishOn(): Promise<void> {
    if (this.running === null) {
      void this.publish().catch(() => undefined)
      while (this.running === null) await this.clock.advance(1)
    }
    await this.untilQuiet(this.running)
  }

  async close(): Promise<void> {
    this.ending.abort(new Error('closed'))
    await this.running?.catch(() => undefined)
    await this.ledger.close()
  }

  /** As by power loss of the process. */
  async kill(): Promise<void> {
    this.ending.abort(new Error('killed'))
    await this.ledger.terminate()
  }
}
