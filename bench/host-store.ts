/**
 * A host's store while it fills: puts in groups, audits of random leaves with their proofs; its last 100,000 beside the first of
 * an empty store; then a start, and half of it thrown away and compacted. Rates of each 100,000, beside each the CPU time of one
 * operation.
 *
 *   npm run bench -- host-store --shards 1000000 --bytes 4096 --dir DIR
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { silentLog } from '../src/base/log.js'
import { sha256 } from '../src/crypto/hash.js'
import { shardTree } from '../src/crypto/merkle.js'
import { SecretBytes } from '../src/crypto/secret.js'
import { SigningKey } from '../src/crypto/signing-key.js'
import { Kept } from '../src/host/ledger/kept.js'
import { ShardStore } from '../src/host/shards/shard-store.js'
import type { PutOrder } from '../src/host/shards/store-parts.js'
import { TRASH_MS } from '../src/host/shards/upkeep.js'
import { hostId, pseudonymId, segmentId, serialId, shardId } from '../src/model/ids.js'
import { atEnd, runToEnd } from './ending.js'
import { machine, tableOf, writeResult } from './figures.js'

const { values } = parseArgs({
  options: {
    shards: { type: 'string', default: '1000000' },
    bytes: { type: 'string', default: '4096' },
    dir: { type: 'string' },
    start: { type: 'string' },
  },
})
const shards = Number(values.shards)
const bytes = Number(values.bytes)
/** Puts that wait together, as from many drives at once. */
const IN_FLIGHT = 256
const AUDITS = 20_000
const STEP = Math.min(100_000, Math.ceil(shards / 2))
const TURNS = 20
const MB = 1e6
/** A put moves it: tokens end one after the other. */
let nowMs = 1_800_000_000_000

interface Rate {
  name: string
  perSecond: number
  cpuUs: number
}

const rates: Rate[] = []
const facts: Record<string, number> = {}

async function openStore(dir: string): Promise<ShardStore> {
  const seed = SecretBytes.take(Buffer.alloc(32, 7))
  const host = hostId(SigningKey.fromSeed(seed).publicKey)
  const volumesDir = path.join(dir, 'volumes')
  fs.mkdirSync(volumesDir, { recursive: true })
  const clock = () => nowMs
  const kept = Kept.open(path.join(dir, 'kept.db'))
  const indexFile = path.join(dir, 'index.db')
  const store = await ShardStore.open(
    { volumesDir, indexFile, host, seed, kept, log: silentLog, nowMs: clock, ownMs: clock },
    { capacityBytes: 2 ** 45, diskFloorBytes: 0, youngMs: 0 },
  )
  const stop = store.stop.bind(store)
  store.stop = () => stop().finally(() => kept.close())
  return store
}

/** Shard `number`, of one of 64 drives. Cheap to make: what is measured is the store. */
async function shard(number: number, serial: number): Promise<{ order: PutOrder; payload: Buffer }> {
  const payload = Buffer.alloc(bytes, number % 251)
  payload.writeUInt32BE(number, 0)
  const { id } = await shardTree(payload)
  const segment = sha256(`segment/${number >> 3}`)
  const order: PutOrder = {
    pseudonym: pseudonymId(sha256(`drive/${(number >> 3) % 64}`).subarray(0, 16)),
    segment: segmentId(segment),
    index: number % 8,
    shard: shardId(id),
    generation: 1,
    serial: serialId(sha256(`serial/${serial}`).subarray(0, 16)),
    serialExpiresMs: nowMs + 3_600_000,
  }
  return { order, payload }
}

/** `work` for each number from `first` on, so many at a time. */
async function each(first: number, count: number, work: (number: number) => Promise<unknown>): Promise<void> {
  let next = first
  const runner = async () => {
    while (next < first + count) await work(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, runner))
}

async function measured(name: string, count: number, work: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedMs) / 1000
  tellRate(name, count / seconds, (user + system) / count)
}

function tellRate(name: string, perSecond: number, cpuUs: number): void {
  const rate = { name, perSecond: Math.round(perSecond), cpuUs: Math.round(cpuUs * 10) / 10 }
  rates.push(rate)
  console.error(
    `  ${name.padEnd(34)} ${String(rate.perSecond).padStart(8)} /s ${rate.cpuUs.toFixed(1).padStart(8)} us CPU`,
  )
}

async function audit(store: ShardStore, below: number, count = AUDITS, turn = 0): Promise<void> {
  let at = 1 + turn
  await each(0, count, async () => {
    at = (at * 48_271) % 2_147_483_647
    const { order } = await shard(at % below, 0)
    await store.read(order.pseudonym, order.shard, at % Math.ceil(bytes / 1024), 1)
  })
}

/** A process of its own opens the store and reads one shard; killed, it leaves a store that was not closed. */
function startOf(dir: string, end: 'close' | 'kill'): number {
  const words = [import.meta.filename, '--dir', dir, '--bytes', String(bytes), '--start', end]
  const { stdout } = spawnSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  return Number(String(stdout).trim())
}

async function startAndEnd(dir: string, end: string): Promise<void> {
  const startedMs = performance.now()
  const store = await openStore(dir)
  const { order } = await shard(1, 0)
  await store.read(order.pseudonym, order.shard, 0, 1)
  console.log(Math.round(performance.now() - startedMs))
  if (end === 'kill') process.kill(process.pid, 'SIGKILL')
  await store.stop()
}

async function put(store: ShardStore, number: number): Promise<void> {
  const { order, payload } = await shard(number, number)
  nowMs++
  await store.put(order, payload)
}

async function fill(store: ShardStore): Promise<void> {
  for (let first = 0; first < shards - STEP; first += STEP) {
    await measured(`put ${first + 1} to ${first + STEP}`, STEP, () => each(first, STEP, (number) => put(store, number)))
    await measured(`  audit among ${first + STEP}`, AUDITS, () => audit(store, first + STEP))
  }
}

/**
 * The last puts and audits of the full store, and the first ones of an empty one, in turns: a machine that is now fast, now slow is
 * so for both.
 */
async function compareWithEmpty(full: ShardStore, empty: ShardStore): Promise<void> {
  const sums = new Map<string, { count: number; ms: number; cpuUs: number }>()
  const timed = async (name: string, count: number, work: () => Promise<unknown>) => {
    const sum = sums.get(name) ?? { count: 0, ms: 0, cpuUs: 0 }
    sums.set(name, sum)
    const startedMs = performance.now()
    const cpu = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(cpu)
    sum.count += count
    sum.ms += performance.now() - startedMs
    sum.cpuUs += user + system
  }
  const size = STEP / TURNS
  for (let turn = 0; turn < TURNS; turn++) {
    const at = turn * size
    await timed('put, full', size, () => each(shards - STEP + at, size, (number) => put(full, number)))
    await timed('put, empty', size, () => each(at, size, (number) => put(empty, number)))
    await timed('audit, full', AUDITS / TURNS, () => audit(full, shards - STEP + at, AUDITS / TURNS, turn))
    await timed('audit, empty', AUDITS / TURNS, () => audit(empty, at + size, AUDITS / TURNS, turn))
  }
  for (const [name, { count, ms, cpuUs }] of sums) tellRate(name, (count / ms) * 1_000, cpuUs / count)
  const of = (name: string) => sums.get(name) as { count: number; ms: number; cpuUs: number }
  for (const what of ['put', 'audit']) {
    const [late, early] = [of(`${what}, full`), of(`${what}, empty`)]
    facts[`${what}: rate of full / empty`] = early.ms / late.ms
    facts[`${what}: CPU of full / empty`] = late.cpuUs / early.cpuUs
  }
}

/** Every second one: all volumes are half dead afterwards. */
async function throwAway(store: ShardStore): Promise<void> {
  const halves = Math.floor(shards / 2)
  for (let first = 0; first < halves; first += STEP) {
    const count = Math.min(STEP, halves - first)
    await measured(`delete ${first + 1} to ${first + count}`, count, () =>
      each(first, count, async (half) => store.remove((await shard(half * 2, shards + half)).order)),
    )
  }
  nowMs += TRASH_MS + 1
  await measured('empty the trash', halves, () => store.upkeep.purgeTrash())
  const { signal } = new AbortController()
  await measured('compact', shards - halves, () => store.upkeep.compact({ deadShareMin: 0, signal }))
}

async function run(): Promise<void> {
  const dir = fs.mkdtempSync(path.join(values.dir ?? os.tmpdir(), 'shardrive-bench-'))
  atEnd(() => fs.rmSync(dir, { recursive: true, force: true }))
  const before = { ...machine(), load: os.loadavg()[0] }
  let store = await openStore(dir)
  await fill(store)
  const emptyDir = fs.mkdtempSync(path.join(values.dir ?? os.tmpdir(), 'shardrive-bench-'))
  atEnd(() => fs.rmSync(emptyDir, { recursive: true, force: true }))
  const empty = await openStore(emptyDir)
  await compareWithEmpty(store, empty)
  await empty.stop()
  facts['peak MiB while filling'] = Math.round(process.resourceUsage().maxRSS / 1024)
  facts['index MB'] = Math.round(fs.statSync(path.join(dir, 'index.db')).size / MB)
  await store.stop()
  facts['start ms, closed'] = startOf(dir, 'kill')
  facts['start ms, killed'] = startOf(dir, 'close')
  store = await openStore(dir)
  await throwAway(store)
  const { volumeBytes, liveBytes, volumes } = store.totals()
  facts['bytes beside live ones'] = volumeBytes - liveBytes - 64 * volumes
  facts['peak MiB'] = Math.round(process.resourceUsage().maxRSS / 1024)
  await store.stop()
  const rows = Object.fromEntries(rates.map((one) => [one.name, { 'per second': one.perSecond, 'CPU us': one.cpuUs }]))
  console.log(`\n${shards} shards of ${bytes} bytes, ${IN_FLIGHT} at a time\n`)
  console.log(`${tableOf(rows, Object.keys(rows), ['per second', 'CPU us'])}\n`)
  const factRows = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, { value }]))
  console.log(`${tableOf(factRows, Object.keys(factRows), ['value'])}\n`)
  const load = os.loadavg()[0]
  console.log(
    writeResult('host-store', { at: new Date().toISOString(), machine: before, load, shards, bytes, rates, facts }),
  )
}

if (values.start) await startAndEnd(values.dir ?? '', values.start)
else await runToEnd(run)
