/** A shard store on a folder of the test, and orders for it: all from numbers, so that a run can be repeated. */
import fs from 'node:fs'
import path from 'node:path'
import { silentLog } from '../../src/base/log.js'
import { sha256 } from '../../src/crypto/hash.js'
import { shardTree } from '../../src/crypto/merkle.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import { SigningKey } from '../../src/crypto/signing-key.js'
import { checkHost, type HostCheck } from '../../src/host/check/check-host.js'
import { Kept } from '../../src/host/ledger/kept.js'
import { ShardStore } from '../../src/host/shards/shard-store.js'
import type { PutOrder, StoreOptions } from '../../src/host/shards/store-parts.js'
import { hostId, pseudonymId, segmentId, serialId, shardId } from '../../src/model/ids.js'
import { rampBytes } from './ramp.js'
import { scratchFolder } from './scratch-folder.js'

export const HOST_SEED = Buffer.alloc(32, 7)
export const NOW_MS = 1_800_000_000_000

export interface TestStoreOptions {
  nowMs?: () => number
  /** The host's own clock; the bridge's when not given. */
  ownMs?: () => number
  /** Index and kept facts are not on disk: as if they had been lost, and quicker. */
  inMemory?: boolean
  hostSeed?: Buffer
}

/** Closes what it opened beside the store when the store stops. Shards may be removed at any age, unless told otherwise. */
export async function openStore(
  dir: string,
  options: Partial<StoreOptions> & TestStoreOptions = {},
): Promise<ShardStore> {
  const { nowMs = () => NOW_MS, ownMs = nowMs, inMemory = false, hostSeed = HOST_SEED, ...rest } = options
  const seed = SecretBytes.take(Buffer.from(hostSeed))
  const host = hostId(SigningKey.fromSeed(seed).publicKey)
  const volumesDir = path.join(dir, 'volumes')
  fs.mkdirSync(volumesDir, { recursive: true })
  const kept = Kept.open(inMemory ? ':memory:' : path.join(dir, 'kept.db'))
  const parts = {
    volumesDir,
    indexFile: inMemory ? ':memory:' : path.join(dir, 'index.db'),
    host,
    seed,
    kept,
    log: silentLog,
    nowMs,
    ownMs,
  }
  try {
    const store = await ShardStore.open(parts, { capacityBytes: 2 ** 31, diskFloorBytes: 0, youngMs: 0, ...rest })
    const stop = store.stop.bind(store)
    store.stop = () => stop().finally(() => kept.close())
    return store
  } catch (error) {
    kept.close()
    throw error
  }
}

/** What fsck says of a store that is not open. */
export async function checkStore(dir: string, ownMs: () => number = () => NOW_MS): Promise<HostCheck> {
  const seed = SecretBytes.take(Buffer.from(HOST_SEED))
  const host = hostId(SigningKey.fromSeed(seed).publicKey)
  const kept = Kept.open(path.join(dir, 'kept.db'))
  try {
    const files = { volumesDir: path.join(dir, 'volumes'), indexFile: path.join(dir, 'index.db') }
    return await checkHost({ ...files, host, seed, kept, log: silentLog, ownMs, nowMs: ownMs })
  } finally {
    kept.close()
  }
}

/** Gone with the test. */
export function scratchDir(t: { teardown(work: () => void): void }): string {
  const { folder, remove } = scratchFolder()
  t.teardown(remove)
  return folder
}

/** 32 bytes that only this name and number give. */
export function fixed(name: string, number: number, size: number): Buffer {
  return sha256(`${name}/${number}`).subarray(0, size)
}

export interface OrderOptions {
  drive?: number
  generation?: number
  serial?: number
  index?: number
}

let serialCount = 0

/** Puts, and removes, shard `number` with a payload of `size` ramp bytes. */
export async function orderOf(
  number: number,
  size: number,
  options: OrderOptions = {},
): Promise<{ order: PutOrder; payload: Buffer }> {
  const payload = rampBytes(number, size)
  const { id } = await shardTree(payload)
  const order: PutOrder = {
    pseudonym: pseudonymId(fixed('drive', options.drive ?? 0, 16)),
    segment: segmentId(fixed('segment', number, 32)),
    index: options.index ?? 0,
    shard: shardId(id),
    generation: options.generation ?? 1,
    serial: serialId(fixed('serial', options.serial ?? ++serialCount + 1_000_000, 16)),
    serialExpiresMs: NOW_MS + 3_600_000,
  }
  return { order, payload }
}

/** Every byte of it, through the proofs' way. */
export async function readWhole(store: ShardStore, order: PutOrder): Promise<Buffer> {
  const { length } = store.find(order.pseudonym, order.shard)
  return (await store.read(order.pseudonym, order.shard, 0, Math.ceil(length / 1024))).leaves
}

export function volumeFile(dir: string, number = 1): string {
  return path.join(dir, 'volumes', `${String(number).padStart(8, '0')}.vol`)
}

/** Every counter agrees with the files: live + dead + headers = bytes on disk, indexed to the end. */
export function countersAgree(store: ShardStore, dir: string): boolean {
  const totals = store.totals()
  const names = fs.readdirSync(path.join(dir, 'volumes')).filter((name) => name.endsWith('.vol'))
  const onDisk = names.reduce((sum, name) => sum + fs.statSync(path.join(dir, 'volumes', name)).size, 0)
  const { liveBytes, trashBytes, deadBytes, volumes } = totals
  return totals.volumeBytes === onDisk && liveBytes + trashBytes + deadBytes + 64 * volumes === onDisk
}

/** Sizes around every border, by number. */
export function sizeOfShard(number: number): number {
  const sizes = [1, 700, 1024, 5000, 65_536, 65_537, 150_000, 400_000]
  return sizes[number % sizes.length] as number
}
