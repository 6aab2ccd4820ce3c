/**
 * A drive's reading half among hosts with real stores, permits, codec and frames, all in one process. The bridge is a list
 * of placements and a key that signs tokens.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Test } from 'tap'
import { systemClock } from '../../../../src/base/clock.js'
import { silentLog } from '../../../../src/base/log.js'
import type { SecretBytes } from '../../../../src/crypto/secret.js'
import type { SigningKey } from '../../../../src/crypto/signing-key.js'
import { Endpoint } from '../../../../src/host/endpoint/endpoint.js'
import { Kept } from '../../../../src/host/ledger/kept.js'
import {
  bridgeId,
  type HostId,
  hostId,
  peerId,
  pseudonymId,
  type SegmentId,
  serialId,
} from '../../../../src/model/ids.js'
import { type Placement, type Scheme, type SegmentInfo, UNIT_BYTES } from '../../../../src/model/segment.js'
import type { Plan } from '../../../../src/mount/metadata/types.js'
import { FileReader, type FileReaderOptions } from '../../../../src/mount/reader/file-reader.js'
import { HostScores } from '../../../../src/mount/reader/host-scores.js'
import { Placements } from '../../../../src/mount/reader/placements.js'
import { SegmentReader } from '../../../../src/mount/reader/segment-reader.js'
import { type Evidence, ShardReader, type ShardReaderOptions } from '../../../../src/mount/reader/shard-reader.js'
import { type UnitCache, UnitSource, type UnitSourceOptions } from '../../../../src/mount/reader/unit-source.js'
import { signToken, type TokenFields } from '../../../../src/permits/token.js'
import { MemoryHub, type MemoryTransport } from '../../../../src/rtc/memory-transport.js'
import type { Transport } from '../../../../src/rtc/transport.js'
import { sealSegment } from '../../../../src/segment/seal.js'
import * as wire from '../../../../src/wire/methods.js'
import { openStore, scratchDir } from '../../../support/host-folder.js'
import { Liar } from '../../../support/lying-host.js'
import { noiseBytes } from '../../../support/noise.js'
import { PoisonedBodies } from '../../../support/poisoned-bodies.js'
import { rampBytes } from '../../../support/ramp.js'
import { keyOf, secretOf } from '../../../support/secrets.js'

export const NEVER = new AbortController().signal
const GET_BYTES = 2 ** 34

export class ReaderWorld {
  readonly hub = new MemoryHub({ clock: systemClock })
  readonly bridge = keyOf(1)
  readonly device = keyOf(2)
  readonly termKey: SecretBytes = secretOf(noiseBytes(3, 32))
  readonly hosts: ReaderHost[] = []
  readonly peers: MemoryTransport
  /** What the bridge answers to locate. */
  readonly placements = new Map<SegmentId, Placement>()
  located = 0
  bridgeIsDown = false
  /** How much a GET token allows. */
  getBytes = GET_BYTES
  tokensGiven = 0
  private serials = 0

  private constructor() {
    this.peers = this.hub.node(peerId(this.device.id), { bodies: new PoisonedBodies() })
  }

  static async start(t: Test, count: number): Promise<ReaderWorld> {
    const world = new ReaderWorld()
    const dir = scratchDir(t)
    for (let at = 0; at < count; at++) world.hosts.push(await ReaderHost.start(world, path.join(dir, `host-${at}`), at))
    // Clocks never keep a process alive; a mount does.
    const alive = setInterval(() => {}, 1_000)
    t.teardown(async () => {
      clearInterval(alive)
      await world.peers.stop()
      for (const host of world.hosts) await host.stop()
    })
    return world
  }

  /** A segment with plain ramp bytes, its shards on hosts in order from `firstHost`. */
  async store(seed: number, length: number, scheme: Scheme, firstHost = 0): Promise<SegmentInfo> {
    const { info, shards, shardIds } = await sealSegment(
      { key: this.termKey, number: 1 },
      [rampBytes(seed, length)],
      scheme,
    )
    const rows = shardIds.map((shard, index) => {
      const host = this.hosts[(firstHost + index) % this.hosts.length] as ReaderHost
      return { index, shard, host }
    })
    await Promise.all(
      rows.map(({ index, shard, host }) => {
        const body = shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
        const target = { segment: info.segment, index, shard }
        const head = wire.encodeTokenHead(this.token(host.id, { action: 'put', bytes: info.shardLength, target }))
        return this.peers.request(host.id, { method: wire.METHOD.put, head, body, deadlineMs: 20_000 })
      }),
    )
    const placed = rows.map(({ index, shard, host }) => ({ index, shard, host: host.id }))
    this.placements.set(info.segment, { segment: info.segment, generation: 1, shards: placed })
    return info
  }

  token(host: HostId, changes: Partial<TokenFields> & { action: TokenFields['action'] }): Buffer {
    const nowMs = Date.now()
    const serial = Buffer.alloc(16)
    serial.writeUInt32BE(++this.serials)
    const fields: TokenFields = {
      bridge: bridgeId(this.bridge.id),
      incarnation: 1,
      host,
      holder: peerId(this.device.id),
      pseudonym: pseudonymId(noiseBytes(4, 16)),
      generation: 1,
      bytes: this.getBytes,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 3_600_000,
      serial: serialId(serial),
      target: null,
      ...changes,
    }
    return signToken(fields, this.bridge)
  }

  reader(options: ReadingOptions = {}): Reading {
    return new Reading(this, options)
  }
}

export class ReaderHost {
  readonly id: HostId
  readonly liar = new Liar()
  /** GETs that arrived. */
  asked = 0
  private readonly parts: { key: SigningKey; stop(): Promise<void> }

  private constructor(parts: { key: SigningKey; stop(): Promise<void> }) {
    this.parts = parts
    this.id = hostId(parts.key.id)
  }

  static async start(world: ReaderWorld, dir: string, number: number): Promise<ReaderHost> {
    const seed = noiseBytes(100 + number, 32)
    const key = keyOf(100 + number)
    fs.mkdirSync(dir, { recursive: true })
    const store = await openStore(dir, { hostSeed: seed, inMemory: true, nowMs: Date.now })
    const kept = Kept.open(':memory:')
    const bridge = bridgeId(world.bridge.id)
    const transport = world.hub.node(peerId(key.id), { bodies: new PoisonedBodies() })
    const recycle = (body: Buffer) => transport.recycle(body)
    const endpoint = new Endpoint({ store, kept, key, bridge, nowMs: Date.now, recycle, log: silentLog })
    let isRunning = true
    const stop = async () => {
      if (!isRunning) return
      isRunning = false
      await transport.stop()
      await store.stop()
      kept.close()
    }
    const host = new ReaderHost({ key, stop })
    const served = host.liar.wrap(transport as Transport)
    served.serve(
      (from, request) => {
        if (request.method === wire.METHOD.get) host.asked++
        return endpoint.serve(from, request)
      },
      (from, request) => endpoint.gate(from, request),
    )
    return host
  }

  /** Connections to it are refused from now on. */
  stop(): Promise<void> {
    return this.parts.stop()
  }
}

export interface ReadingOptions {
  cache?: UnitCache
  shards?: ShardReaderOptions
  units?: UnitSourceOptions
  files?: FileReaderOptions
  /** Where files lie, by ino. */
  plan?: (ino: number, offset: number, length: number) => Promise<Plan>
}

/** A mount's reader, as the app puts it together. */
export class Reading {
  readonly evidence: Evidence[] = []
  readonly saved = new Map<SegmentId, Buffer>()
  readonly scores = new HostScores()
  readonly placements: Placements
  readonly shards: ShardReader
  readonly segments: SegmentReader
  readonly units: UnitSource
  readonly files: FileReader
  /** GETs sent, by host. */
  readonly sent = new Map<HostId, number>()

  constructor(world: ReaderWorld, options: ReadingOptions) {
    const tokens = new Map<HostId, Buffer>()
    this.placements = new Placements({
      ledger: {
        placement: async (segment) => this.saved.get(segment) ?? null,
        putPlacement: async (segment, bytes) => void this.saved.set(segment, Buffer.from(bytes)),
      },
      locate: async (segments) => {
        world.located++
        if (world.bridgeIsDown) throw new Error('unreachable')
        return segments.flatMap((one) => world.placements.get(one) ?? [])
      },
    })
    this.shards = new ShardReader(
      {
        peers: {
          request: (host, request) => {
            this.sent.set(host, (this.sent.get(host) ?? 0) + 1)
            return world.peers.request(host, request)
          },
          warm: (hosts) => world.peers.warm(hosts),
          recycle: (body) => world.peers.recycle(body),
        },
        token: async (host) => {
          const held = tokens.get(host) ?? world.token(host, { action: 'get' })
          if (!tokens.has(host)) world.tokensGiven++
          tokens.set(host, held)
          return held
        },
        dropToken: (host) => void tokens.delete(host),
        report: (evidence) => this.evidence.push(evidence),
        scores: this.scores,
        clock: systemClock,
      },
      options.shards,
    )
    this.segments = new SegmentReader({
      placements: this.placements,
      shards: this.shards,
      scores: this.scores,
      termKey: () => world.termKey,
      clock: systemClock,
    })
    this.units = new UnitSource({ cache: options.cache ?? NO_CACHE, network: this.segments }, options.units)
    const plan = options.plan ?? (async () => ({ pieces: [], size: 0 }))
    this.files = new FileReader({ ledger: { plan }, units: this.units, log: silentLog }, options.files)
  }

  /** The whole segment, by its plain bytes. */
  whole(info: SegmentInfo, signal = NEVER): Promise<Buffer> {
    return this.files.fetchSegmentRange(info, 0, info.plainLength, signal)
  }

  /** Hosts that were asked for something. */
  get askedHosts(): HostId[] {
    return [...this.sent.keys()]
  }
}

export const NO_CACHE: UnitCache = {
  get: async (_, units) => units.map(() => null),
  put: () => {},
}

/** A plan for one file that lies in segments back to back, all of one length. */
export function filePlan(
  infos: readonly SegmentInfo[],
): (ino: number, offset: number, length: number) => Promise<Plan> {
  const size = infos.reduce((sum, one) => sum + one.plainLength, 0)
  return async (_ino, offset, length) => {
    const pieces: Plan['pieces'][number][] = []
    let start = 0
    for (const segment of infos) {
      const from = Math.max(offset, start)
      const to = Math.min(offset + length, start + segment.plainLength)
      if (from < to) pieces.push({ kind: 'segment', segment, segmentOffset: from - start, length: to - from })
      start += segment.plainLength
    }
    return { pieces, size }
  }
}

/** So many bytes that rows, short last rows and padding all occur. */
export function awkwardLength(scheme: Scheme, rows: number): number {
  return scheme.dataShards * UNIT_BYTES * rows + 12_345
}

export async function until(what: () => boolean, timeoutMs = 5_000): Promise<void> {
  const startedMs = Date.now()
  while (!what()) {
    if (Date.now() - startedMs > timeoutMs) throw new Error('it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
