/**
 * What lies on the planet: segments of one drive, sealed, placed and pushed as a device does, retired as it does, and read
 * back by the drive's own reader.
 */
import { systemClock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import type { HostId, SegmentId } from '../../src/model/ids.js'
import type { SegmentInfo } from '../../src/model/segment.js'
import { FileReader } from '../../src/mount/reader/file-reader.js'
import { HostScores } from '../../src/mount/reader/host-scores.js'
import { Placements } from '../../src/mount/reader/placements.js'
import { SegmentReader } from '../../src/mount/reader/segment-reader.js'
import { ShardReader } from '../../src/mount/reader/shard-reader.js'
import { UnitSource } from '../../src/mount/reader/unit-source.js'
import type { MemoryTransport } from '../../src/rtc/memory-transport.js'
import { type SealedSegment, sealSegment } from '../../src/segment/seal.js'
import * as wire from '../../src/wire/methods.js'
import type { TestDrive } from './bridge-world.js'
import type { Planet } from './planet.js'
import { rampBytes } from './ramp.js'

export interface Kept {
  info: SegmentInfo
  seed: number
}

/** Segments at once, placed and pushed. */
const BATCH = 50
const PUT_MS = 20_000

export class PlanetDrive {
  /** What the drive needs, oldest first. */
  readonly kept: Kept[] = []
  /** What it retired, with the day. */
  readonly retired: { segment: SegmentId; day: number }[] = []
  readonly drive: TestDrive
  private readonly planet: Planet
  private readonly transport: MemoryTransport
  private seeds: number

  private constructor(planet: Planet, drive: TestDrive, seed: number) {
    this.planet = planet
    this.drive = drive
    this.seeds = seed
    this.transport = planet.hub.node(drive.deviceId, { dialMs: 1_000, peersMax: 256 })
  }

  static async make(planet: Planet, name: string, seed: number): Promise<PlanetDrive> {
    const drive = await planet.world.drive(name)
    await drive.claim()
    return new PlanetDrive(planet, drive, seed)
  }

  /** Pushed to whoever is there, committed and confirmed; the oldest `retire` go in the same record. */
  async store(count: number, plainBytes: number, retire = 0): Promise<void> {
    const fresh: Kept[] = []
    for (let left = count; left > 0; left -= BATCH) fresh.push(...(await this.push(Math.min(left, BATCH), plainBytes)))
    const old = this.kept.splice(0, retire).map((one) => one.info.segment)
    await this.drive.append(this.drive.epoch({ confirm: fresh.map((one) => one.info.segment), retire: old }))
    this.retired.push(...old.map((segment) => ({ segment, day: this.planet.day })))
    this.kept.push(...fresh)
  }

  private async push(count: number, plainBytes: number): Promise<Kept[]> {
    const { client, id, termKey } = this.drive
    const { scheme } = await client.info()
    const seeds = Array.from({ length: count }, () => this.seeds++)
    const sealed = await Promise.all(
      seeds.map((seed) => {
        const shape = { dataShards: scheme.k, totalShards: scheme.n }
        return sealSegment({ key: termKey, number: 1 }, [rampBytes(seed, plainBytes)], shape)
      }),
    )
    const grants = await client.place(
      id,
      sealed.map(({ info, shardIds }) => ({ ...info, shards: shardIds })),
    )
    for (const [at, one] of sealed.entries()) {
      const hosts = grants[at]?.hosts ?? []
      const receipts = await this.pushOne(one, hosts)
      await client.commit(id, one.info.segment, receipts)
    }
    return sealed.map(({ info }, at) => ({ info, seed: seeds[at] as number }))
  }

  private async pushOne(
    { info, shards }: SealedSegment,
    hosts: readonly { host: HostId; index: number; token: Buffer | null }[],
  ): Promise<Buffer[]> {
    const pushes = hosts.flatMap(({ host, index, token }) => {
      if (token === null) return []
      const body = shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
      const head = wire.encodeTokenHead(token)
      return [this.transport.request(host, { method: wire.METHOD.put, head, body, deadlineMs: PUT_MS })]
    })
    const replies = await Promise.allSettled(pushes)
    return replies.flatMap((one) => (one.status === 'fulfilled' ? [wire.decodePutReply(one.value.head)] : []))
  }

  /** Segments that cannot be read back as they were written, from whoever is online now. */
  async lost(): Promise<SegmentId[]> {
    const reader = this.reader()
    const lost: SegmentId[] = []
    for (const { info, seed } of this.kept) {
      const signal = new AbortController().signal
      const bytes = await reader.fetchSegmentRange(info, 0, info.plainLength, signal).catch(() => null)
      if (bytes === null || !rampBytes(seed, info.plainLength).equals(bytes)) lost.push(info.segment)
    }
    return lost
  }

  /** As a mount puts it together, without a cache. */
  private reader(): FileReader {
    const { client, id, termKey } = this.drive
    const ledger = { placement: async () => null, putPlacement: async () => {} }
    const scores = new HostScores()
    const tokens = new Map<HostId, Buffer>()
    const placements = new Placements({ ledger, locate: (segments, options) => client.locate(id, segments, options) })
    const shards = new ShardReader({
      peers: this.transport,
      token: async (host) => {
        const held = tokens.get(host) ?? (await client.tokens(id, [host])).get(host)
        if (held === undefined) throw new Error('the bridge does not know the host')
        tokens.set(host, held)
        return held
      },
      dropToken: (host) => void tokens.delete(host),
      // What is found at the end is the end's business: hosts are judged by what the bridge found.
      report: () => {},
      scores,
      clock: systemClock,
    })
    const segments = new SegmentReader({ placements, shards, scores, termKey: () => termKey, clock: systemClock })
    const cache = { get: async (_: SegmentId, units: readonly number[]) => units.map(() => null), put: () => {} }
    const units = new UnitSource({ cache, network: segments })
    const plan = async () => ({ pieces: [], size: 0 })
    return new FileReader({ ledger: { plan }, units, log: silentLog })
  }

  /** Those of them that the bridge still knows. */
  async known(segments: readonly SegmentId[]): Promise<SegmentId[]> {
    return (await this.drive.client.locate(this.drive.id, segments)).map((one) => one.segment)
  }

  async stop(): Promise<void> {
    await this.transport.stop()
  }
}
