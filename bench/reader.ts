/**
 * What reading costs above the transport: a cold file of 4-of-8 segments read in order, 128 KiB a read as the kernel asks.
 * "answers at hand": the peers' answers are in memory, so all that is left is planning, verifying, opening, handing over.
 * "webrtc": eight hosts with real stores in another process, over loopback.
 *
 *   npm run bench -- reader        (or: node dist-test/bench/reader.js [MiB] [direct|webrtc])
 */
import { fork } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { systemClock } from '../src/base/clock.js'
import { silentLog } from '../src/base/log.js'
import { systemRandom } from '../src/base/random.js'
import { makeProof, shardTree } from '../src/crypto/merkle.js'
import { SecretBytes } from '../src/crypto/secret.js'
import { SigningKey } from '../src/crypto/signing-key.js'
import { Endpoint } from '../src/host/endpoint/endpoint.js'
import { Kept } from '../src/host/ledger/kept.js'
import { ShardStore } from '../src/host/shards/shard-store.js'
import {
  bridgeId,
  type HostId,
  hostId,
  type PeerId,
  peerId,
  pseudonymId,
  type SegmentId,
  serialId,
} from '../src/model/ids.js'
import type { Placement, SegmentInfo } from '../src/model/segment.js'
import { CacheClient } from '../src/mount/cache/cache-client.js'
import type { Plan } from '../src/mount/metadata/types.js'
import { FileReader } from '../src/mount/reader/file-reader.js'
import { HostScores } from '../src/mount/reader/host-scores.js'
import { Placements } from '../src/mount/reader/placements.js'
import { SegmentReader } from '../src/mount/reader/segment-reader.js'
import { type ShardPeers, ShardReader } from '../src/mount/reader/shard-reader.js'
import { type UnitCache, UnitSource } from '../src/mount/reader/unit-source.js'
import { makeDescriptionSigner } from '../src/permits/description.js'
import { signToken, type TokenFields } from '../src/permits/token.js'
import { createWebRtcTransport } from '../src/rtc/webrtc-transport.js'
import { plainLengthMax } from '../src/segment/layout.js'
import { type SealedSegment, sealSegment } from '../src/segment/seal.js'
import * as wire from '../src/wire/methods.js'

const SCHEME = { dataShards: 4, totalShards: 8 }
const SEGMENT_BYTES = plainLengthMax(SCHEME.dataShards)
const READ_BYTES = 131_072
/** Reads that the kernel has under way while a program reads in order. */
const SIDE_BY_SIDE = 2
const NEVER = new AbortController().signal
const keyOf = (number: number) => SigningKey.fromSeed(SecretBytes.take(Buffer.alloc(32, number)))
const bridge = keyOf(1)
const device = keyOf(2)
const termKey = () => TERM
const TERM = SecretBytes.take(Buffer.alloc(32, 3))
const hostKeys = Array.from({ length: SCHEME.totalShards }, (_, at) => keyOf(10 + at))
const hosts = hostKeys.map((key) => hostId(key.id))

interface Stored {
  info: SegmentInfo
  placement: Placement
}

function tokenOf(host: HostId, fields: Partial<TokenFields> & { action: TokenFields['action'] }): Buffer {
  const times = { notBeforeMs: Date.now(), notAfterMs: Date.now() + 3_600_000 }
  const ids = { bridge: bridgeId(bridge.id), incarnation: 1, host, holder: peerId(device.id), generation: 1 }
  const pseudonym = pseudonymId(Buffer.alloc(16, 1))
  const serial = serialId(systemRandom(16))
  return signToken({ ...ids, ...times, pseudonym, serial, bytes: 2 ** 40, target: null, ...fields }, bridge)
}

function stored({ info, shardIds }: SealedSegment): Stored {
  const shards = shardIds.map((shard, index) => ({ index, shard, host: hosts[index] as HostId }))
  return { info, placement: { segment: info.segment, generation: 1, shards } }
}

function planOf(infos: readonly SegmentInfo[]) {
  const size = infos.length * SEGMENT_BYTES
  return async (_ino: number, offset: number, length: number): Promise<Plan> => {
    const pieces: Plan['pieces'][number][] = []
    const end = Math.min(size, offset + length)
    for (let at = offset; at < end; ) {
      const segmentOffset = at % SEGMENT_BYTES
      const part = Math.min(end - at, SEGMENT_BYTES - segmentOffset)
      pieces.push({
        kind: 'segment',
        segment: infos[Math.floor(at / SEGMENT_BYTES)] as SegmentInfo,
        segmentOffset,
        length: part,
      })
      at += part
    }
    return { pieces, size }
  }
}

const NO_CACHE: UnitCache = { get: async (_, units) => units.map(() => null), put: () => {} }

function readerOf(all: readonly Stored[], peers: ShardPeers, cache: UnitCache): FileReader {
  const byId = new Map<SegmentId, Placement>(all.map(({ placement }) => [placement.segment, placement]))
  const placements = new Placements({
    ledger: { placement: async () => null, putPlacement: async () => {} },
    locate: async (segments) => segments.flatMap((one) => byId.get(one) ?? []),
  })
  const tokens = new Map(hosts.map((host) => [host, tokenOf(host, { action: 'get' })]))
  const scores = new HostScores()
  const token = async (host: HostId) => tokens.get(host) as Buffer
  const report = (evidence: object) => console.error(evidence)
  const shards = new ShardReader({ peers, token, report, scores, clock: systemClock })
  const segments = new SegmentReader({ placements, shards, scores, termKey, clock: systemClock })
  const units = new UnitSource({ cache, network: segments })
  return new FileReader({ ledger: { plan: planOf(all.map(({ info }) => info)) }, units, log: silentLog })
}

async function readAll(reader: FileReader, size: number): Promise<void> {
  let next = 0
  const run = async () => {
    while (next < size) {
      const offset = next
      next += READ_BYTES
      const bytes = await reader.read(1, offset, READ_BYTES, NEVER)
      const length = bytes.reduce((sum, one) => sum + one.length, 0)
      if (length !== Math.min(READ_BYTES, size - offset)) throw new Error(`short read at ${offset}: ${length}`)
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, run))
}

async function measure(name: string, bytes: number, work: () => Promise<void>): Promise<void> {
  const cpu = process.cpuUsage()
  const loop = performance.eventLoopUtilization()
  const from = performance.now()
  await work()
  const ms = performance.now() - from
  const { user, system } = process.cpuUsage(cpu)
  const { active } = performance.eventLoopUtilization(loop)
  const mb = bytes / 1e6
  const each = `${((user + system) / 1000 / mb).toFixed(2)} CPU ms/MB, ${(active / mb).toFixed(2)} ms/MB of the main thread`
  console.log(`${name.padEnd(26)} ${((mb / ms) * 1000).toFixed(0).padStart(5)} MB/s   ${each}`)
}

async function seal(count: number): Promise<SealedSegment[]> {
  const sealed: SealedSegment[] = []
  for (let at = 0; at < count; at++) {
    sealed.push(await sealSegment({ key: TERM, number: 1 }, [Buffer.alloc(SEGMENT_BYTES, at)], SCHEME))
  }
  return sealed
}

/** Answers made beforehand, found by the question. */
async function answersAtHand(sealed: readonly SealedSegment[]): Promise<ShardPeers> {
  const shards = new Map<string, { bytes: Buffer; subtrees: Buffer }>()
  for (const { info, shardIds, shards: all } of sealed) {
    for (const [index, shard] of shardIds.entries()) {
      const bytes = all.subarray(index * info.shardLength, (index + 1) * info.shardLength)
      shards.set(shard, { bytes, subtrees: (await shardTree(bytes)).subtrees })
    }
  }
  const heads = new Map<string, Buffer>()
  return {
    request: async (_host, { head }) => {
      const { shard, firstLeaf, leafCount } = wire.decodeGetRequest(head)
      const { bytes, subtrees } = shards.get(shard) as { bytes: Buffer; subtrees: Buffer }
      const key = `${shard}${firstLeaf}+${leafCount}`
      let answer = heads.get(key)
      if (answer === undefined) {
        const proof = makeProof({ shardLength: bytes.length, firstLeaf, leafCount }, subtrees, new Map())
        const hashes = Array.from({ length: proof.length / 32 }, (_, at) => proof.subarray(at * 32, at * 32 + 32))
        answer = wire.encodeGetReply({ shardLength: bytes.length, proof: hashes })
        heads.set(key, answer)
      }
      return { head: answer, body: bytes.subarray(firstLeaf * 1024, (firstLeaf + leafCount) * 1024) }
    },
  }
}

async function direct(count: number): Promise<void> {
  const sealed = await seal(count)
  const all = sealed.map(stored)
  const peers = await answersAtHand(sealed)
  const size = count * SEGMENT_BYTES
  await readAll(readerOf(all, peers, NO_CACHE), size)
  await measure('answers at hand', size, () => readAll(readerOf(all, peers, NO_CACHE), size))
  const lame: ShardPeers = {
    request: (host, request) => {
      if (host === hosts[0]) return Promise.reject(new Error('gone'))
      return peers.request(host, request)
    },
  }
  void lame
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-bench-'))
  const cache = await CacheClient.open({ file: path.join(dir, 'cache.db'), key: TERM, log: silentLog })
  await measure('answers at hand, to cache', size, () => readAll(readerOf(all, peers, cache), size))
  await new Promise((resolve) => setTimeout(resolve, 500))
  console.log(JSON.stringify(await cache.stats()))
  const nobody: ShardPeers = { request: peers.request }
  await measure('from cache', size, () => readAll(readerOf(all, nobody, cache), size))
  console.log(JSON.stringify(await cache.stats()))
  await cache.close()
  fs.rmSync(dir, { recursive: true })
}

type Message = { name: string; from: PeerId; to: PeerId; session: string; payload: string }

/** The transports of a process; signals for other processes go over the pipe. */
function transportOf(key: SigningKey, target: NodeJS.Process | ReturnType<typeof fork>) {
  const self = peerId(key.id)
  const signaling = {
    send: (to: PeerId, session: string, payload: Buffer) =>
      void target.send?.({ name: 'signal', from: self, to, session, payload: payload.toString('base64') }),
    onSignal: (listener: (from: PeerId, session: string, payload: Buffer) => void) => {
      target.on('message', (message: Message) => {
        if (message.name !== 'signal' || message.to !== self) return
        listener(message.from, message.session, Buffer.from(message.payload, 'base64'))
      })
      return () => {}
    },
    onUnreachable: () => () => {},
  }
  const signer = makeDescriptionSigner(key, () => Date.now())
  const parts = { self, signaling, signer, clock: systemClock, random: systemRandom, log: silentLog }
  return createWebRtcTransport(parts, { bindAddress: '127.0.0.1', mtu: Number(process.env.MTU ?? 0) || undefined })
}

async function child(): Promise<void> {
  process.setMaxListeners(0)
  process.on('disconnect', () => process.exit(0))
  const root = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'shardrive-bench-'))
  process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }))
  for (const [at, key] of hostKeys.entries()) {
    const volumesDir = path.join(root, `host-${at}`)
    fs.mkdirSync(volumesDir, { recursive: true })
    const kept = Kept.open(':memory:')
    const host = hostId(key.id)
    const seed = SecretBytes.take(Buffer.alloc(32, 10 + at))
    const parts = {
      volumesDir,
      indexFile: ':memory:',
      host,
      seed,
      kept,
      log: silentLog,
      nowMs: Date.now,
      ownMs: Date.now,
    }
    const store = await ShardStore.open(parts, { capacityBytes: 2 ** 33, diskFloorBytes: 0 })
    const endpoint = new Endpoint({ store, kept, key, bridge: bridgeId(bridge.id), nowMs: Date.now, log: silentLog })
    const transport = transportOf(key, process)
    transport.serve(
      (from, request) => endpoint.serve(from, request),
      (from, request) => endpoint.gate(from, request),
    )
  }
  process.send?.({ name: 'ready' })
}

async function webrtc(count: number): Promise<void> {
  const other = fork(process.argv[1] as string, ['child'])
  other.setMaxListeners(0)
  await new Promise<void>((resolve) => other.on('message', (message: Message) => message.name === 'ready' && resolve()))
  const transport = transportOf(device, other)
  const sealed = await seal(count)
  const all = sealed.map(stored)
  for (const { info, shardIds, shards } of sealed) {
    await Promise.all(
      shardIds.map((shard, index) => {
        const host = hosts[index] as HostId
        const target = { segment: info.segment, index, shard }
        const head = wire.encodeTokenHead(tokenOf(host, { action: 'put', bytes: info.shardLength, target }))
        const body = shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
        return transport.request(host, { method: wire.METHOD.put, head, body, deadlineMs: 60_000 })
      }),
    )
  }
  const size = count * SEGMENT_BYTES
  for (let round = 0; round < 3; round++) {
    const reader = readerOf(all, transport, NO_CACHE)
    await measure(`webrtc, run ${round + 1}`, size, () => readAll(reader, size))
  }
  await transport.stop()
  other.disconnect()
}

const [first = '128', mode = 'all'] = process.argv.slice(2)
if (first === 'child') await child()
else {
  const count = Math.max(1, Math.round((Number(first) * 1_048_576) / SEGMENT_BYTES))
  if (mode !== 'webrtc') await direct(count)
  if (mode !== 'direct') await webrtc(count)
}
