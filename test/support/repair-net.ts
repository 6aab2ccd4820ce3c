/** Segments on a network of real hosts, and what repair makes of them. */
import type { Test } from 'tap'
import { hostId, type SegmentId } from '../../src/model/ids.js'
import { Net, type NetHost, type NetOptions, Uploader } from './bridge-net.js'
import type { TestDrive } from './bridge-world.js'

export const HOUR_MS = 3_600_000

export interface Stored {
  net: Net
  drive: TestDrive
  uploader: Uploader
  segments: SegmentId[]
  shardLength: number
}

/** `count` confirmed segments of one size on so many hosts, each at n. */
export async function storedNet(
  t: Test,
  hosts: number,
  count: number,
  options: NetOptions & { sizeBytes?: number } = {},
): Promise<Stored> {
  const { sizeBytes = 20_000, ...world } = options
  const net = await Net.start(t.testdir(), hosts, world)
  t.teardown(() => net.stop())
  const drive = await net.world.drive('a')
  const uploader = new Uploader(net, drive)
  t.teardown(() => uploader.stop())
  await drive.claim()
  const fresh = []
  for (let at = 0; at < count; at++) fresh.push(await uploader.seal(sizeBytes))
  for (let at = 0; at < count; at += 10) await Promise.all(fresh.slice(at, at + 10).map((one) => uploader.push(one)))
  const segments = fresh.map((one) => one.info.segment)
  await drive.append(drive.epoch({ confirm: segments }))
  // Uploads are over: what is short from now on is the bridge's.
  await net.world.clock.advance(60_000)
  await net.world.bridge.pull.count()
  return { net, drive, uploader, segments, shardLength: fresh[0]?.info.shardLength ?? 0 }
}

/** Of each segment: how many shards lie, by the books, on hosts that are there and have them. */
export async function standing({
  net,
  drive,
  segments,
}: Pick<Stored, 'net' | 'drive' | 'segments'>): Promise<number[]> {
  const located = await drive.client.locate(drive.id, segments)
  const online = new Set(net.world.bridge.hostsOnline())
  return located.map((one) => one.shards.filter((shard) => shard.stored && online.has(hostId(shard.host))).length)
}

/** The hosts of a segment, by index; null where nothing is stored. */
export async function hostsOf(
  { net, drive }: Pick<Stored, 'net' | 'drive'>,
  segment: SegmentId,
): Promise<(NetHost | null)[]> {
  const [located] = await drive.client.locate(drive.id, [segment])
  return (located?.shards ?? []).map((one) => (one.stored && one.host !== null ? net.host(one.host) : null))
}

/** Of 4 of 8: with so many healthy shards or fewer a segment is repaired. */
export const THRESHOLD = 6

/** What repair makes of each segment: from its threshold on all are back. */
export function repaired(before: readonly number[]): number[] {
  return before.map((count) => (count <= THRESHOLD ? 8 : count))
}

/** A host vanishes, and its time to come back passes. */
export async function vanish(net: Net, host: NetHost): Promise<void> {
  await host.kill()
  await net.world.clock.leap(4 * HOUR_MS + 60_000)
}

/** Bytes of shards that went to or came from the bridge. */
export function countBytes(net: Net): { bytes: number } {
  const counted = { bytes: 0 }
  const bridge = net.world.bridge.id as string
  net.hub.alter = (from, to, frame) => {
    if (((from as string) === bridge || (to as string) === bridge) && frame.length > 1_000)
      counted.bytes += frame.length
    return frame
  }
  return counted
}
