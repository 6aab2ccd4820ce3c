/** Pins over a real ledger and a real cache; hosts are a table of plain bytes, and time stands still until it is moved. */
import path from 'node:path'
import type { Test } from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import type { SegmentId } from '../../../../src/model/ids.js'
import type { SegmentInfo } from '../../../../src/model/segment.js'
import { CacheClient } from '../../../../src/mount/cache/cache-client.js'
import type { LedgerClient } from '../../../../src/mount/metadata/client.js'
import type { PinNetwork } from '../../../../src/mount/pins/pin-fetcher.js'
import { Pins } from '../../../../src/mount/pins/pins.js'
import { layoutOf } from '../../../../src/segment/layout.js'
import { unitPlace } from '../../../../src/segment/offsets.js'
import { DrivenClock } from '../../../support/driven-clock.js'
import { noiseBytes } from '../../../support/noise.js'
import { secretOf } from '../../../support/secrets.js'
import {
  DIRECTORY,
  FakeHosts,
  makeFile,
  open,
  prepare,
  publish,
  ROOT,
  rampBytes,
  scratch,
  write,
} from '../metadata/support.js'

const MIB = 1_048_576
/** The threads of ledger and cache answer in real time; so long is for a machine that does something else. */
const PATIENCE_MS = 60_000
const STEP_MS = 50

/** Says what it was asked for, holds answers back while it is told to, and fails as it is told to. */
export class FakeNetwork implements PinNetwork {
  readonly asked: { segment: SegmentId; units: readonly number[]; signal: AbortSignal }[] = []
  failure: AppError | null = null
  running = 0
  runningMost = 0
  private readonly hosts: FakeHosts
  private held: (() => void)[] | null = null

  constructor(hosts: FakeHosts) {
    this.hosts = hosts
  }

  hold(): void {
    this.held ??= []
  }

  letGo(): void {
    const { held } = this
    this.held = null
    for (const one of held ?? []) one()
  }

  async read(
    info: SegmentInfo,
    units: readonly number[],
    sink: Parameters<PinNetwork['read']>[2],
    signal: AbortSignal,
  ): Promise<void> {
    this.asked.push({ segment: info.segment, units, signal })
    this.running++
    this.runningMost = Math.max(this.runningMost, this.running)
    const { held } = this
    if (held !== null) {
      await new Promise<void>((resolve) => {
        held.push(resolve)
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    this.running--
    for (const unit of units) {
      if (signal.aborted) sink.failed(unit, signal.reason)
      else if (this.failure !== null) sink.failed(unit, this.failure)
      else sink.unit(unit, this.unitOf(info, unit))
    }
  }

  /** As SegmentReader hands it over. */
  unitOf(info: SegmentInfo, unit: number): Buffer {
    const layout = layoutOf(info)
    const { offsetInSegment, sealedLength } = unitPlace(layout, unit)
    const plain = this.hosts.segments.get(info.segment) as Buffer
    const padded = Buffer.concat([plain, Buffer.alloc(layout.paddedLength - plain.length)])
    return Buffer.from(padded.subarray(offsetInSegment, offsetInSegment + sealedLength))
  }
}

export class PinWorld {
  readonly ledger: LedgerClient
  readonly cache: CacheClient
  readonly hosts: FakeHosts
  readonly network: FakeNetwork
  readonly clock = new DrivenClock()
  readonly pins: Pins

  private constructor(ledger: LedgerClient, cache: CacheClient, hosts: FakeHosts) {
    this.ledger = ledger
    this.cache = cache
    this.hosts = hosts
    this.network = new FakeNetwork(hosts)
    const { network, clock } = this
    this.pins = new Pins({ ledger, cache, network, clock, log: silentLog })
  }

  /** Ends with the test; the ledger is sound then. */
  static async start(
    t: Test,
    { budgetBytes = 64 * MIB, folder = scratch(t), hosts = new FakeHosts() } = {},
  ): Promise<PinWorld> {
    const ledger = await open(folder)
    const file = path.join(folder, 'cache.db')
    const key = secretOf(noiseBytes(1, 32))
    const cache = await CacheClient.open({ file, key, budgetBytes, floorBytes: 0, log: silentLog })
    const world = new PinWorld(ledger, cache, hosts)
    await world.pins.start()
    t.teardown(() => world.end())
    return world
  }

  private isOver = false

  async end(): Promise<void> {
    if (this.isOver) return
    this.isOver = true
    this.network.letGo()
    await this.pins.stop()
    const findings = await this.ledger.check()
    await this.cache.close()
    await this.ledger.close()
    if (findings.length > 0) throw new Error(`fsck: ${JSON.stringify(findings)}`)
  }

  async folder(name: string, parent = ROOT): Promise<number> {
    return (await makeFile(this.ledger, parent, name, DIRECTORY)).ino
  }

  /** Only here so far. */
  async file(name: string, bytes: number, parent = ROOT): Promise<number> {
    const { ino } = await makeFile(this.ledger, parent, name)
    for (let at = 0; at < bytes; at += MIB) {
      await write(this.ledger, ino, at, rampBytes(ino, Math.min(MIB, bytes - at), at))
    }
    return ino
  }

  /** Everything so far on hosts, so many staged rows (of 1 MiB at most) in a segment. */
  async store(rowsMax = 1): Promise<void> {
    const cut = await this.ledger.cut()
    if (cut === null) throw new Error('there is nothing to store')
    await prepare(this.ledger, cut, this.hosts, rowsMax)
    await publish(this.ledger, cut.epoch)
    this.pins.treeChanged()
  }

  async stored(name: string, bytes: number, parent = ROOT): Promise<number> {
    const ino = await this.file(name, bytes, parent)
    await this.store()
    return ino
  }

  /** Moves time until it is so. */
  async until(what: () => boolean | Promise<boolean>): Promise<void> {
    const endMs = performance.now() + PATIENCE_MS
    while (!(await what())) {
      if (performance.now() > endMs) throw new Error('it never came to be')
      await this.clock.advance(STEP_MS)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  async isHere(ino: number): Promise<boolean> {
    const { bytes, of } = await this.pins.here(ino, NEVER)
    return bytes === of
  }

  /** Its segments, in the order of its bytes. */
  async segmentsOf(ino: number): Promise<SegmentId[]> {
    const { pieces } = await this.ledger.piecesOf([ino], { at: 0, offset: 0 })
    return pieces.map((one) => one.segment.segment)
  }

  /** What `pin --wait` does; time is moved meanwhile. */
  async whenHere(ino: number): Promise<{ code: string } | { bytes: number; told: Told[] }> {
    const told: Told[] = []
    const options = { signal: NEVER, everyMs: 250, progress: (value: object) => void told.push(value as Told) }
    let outcome: { code: string } | { bytes: number; told: Told[] } | null = null
    void this.pins.whenHere([ino], options).then(
      ({ bytes }) => (outcome = { bytes, told }),
      (error: unknown) => (outcome = { code: error instanceof AppError ? error.code : String(error) }),
    )
    await this.until(() => outcome !== null)
    return outcome as unknown as { code: string } | { bytes: number; told: Told[] }
  }
}

export interface Told {
  total: number
  left: number
  trouble: { code: string } | null
}

export const NEVER = new AbortController().signal
