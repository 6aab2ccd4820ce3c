/** S-38: what is evicted by hand goes from the cache alone, and what is nowhere else never does. */
import t from 'tap'
import { PinState } from '../../../../src/mount/pins/pin-state.js'
import { rampBytes, readAll, write } from '../metadata/support.js'
import { NEVER, PinWorld } from './support.js'

const MIB = 1_048_576

/** In the cache, as reading brings it there. */
async function fetched(world: PinWorld, ino: number): Promise<void> {
  const { pieces } = await world.ledger.piecesOf([ino], { at: 0, offset: 0 })
  for (const { segment } of pieces) {
    world.cache.put(segment.segment, [{ unit: 0, bytes: world.network.unitOf(segment, 0) }])
  }
}

const hereBytes = async (world: PinWorld, ino: number) => (await world.pins.here(ino, NEVER)).bytes

t.test('S-38 a file that is stored is evicted, and is fetched again when it is pinned', async (t) => {
  const world = await PinWorld.start(t)
  const ino = await world.stored('a', 2 * MIB)
  await fetched(world, ino)
  t.equal(await hereBytes(world, ino), 131_072)
  t.match(await world.pins.evict(ino, NEVER), { files: 1, pinnedFiles: 0, localFiles: 0 })
  t.equal(await hereBytes(world, ino), 0)
  t.match(await world.pins.evict(ino, NEVER), { files: 0, bytes: 0 }, 'nothing is left to evict')
  await world.pins.pin(ino)
  t.match(await world.whenHere(ino), { bytes: 2 * MIB })
  await t.rejects(world.pins.evict(ino, NEVER), { code: 'pinned' })
})

t.test('S-38 a file of which bytes are only here is refused, also when most of it is stored', async (t) => {
  const world = await PinWorld.start(t)
  const staged = await world.file('staged', 5_000)
  await t.rejects(world.pins.evict(staged, NEVER), { code: 'only-local' })
  t.ok((await readAll(world.ledger, staged)).equals(rampBytes(staged, 5_000)))
  await world.store()
  const mixed = await world.stored('mixed', 2 * MIB)
  await fetched(world, mixed)
  await write(world.ledger, mixed, MIB + 7, Buffer.from('only here'))
  await t.rejects(world.pins.evict(mixed, NEVER), { code: 'only-local' })
  const plain = (segment: string, offset: number, length: number) => world.hosts.fetch(segment, offset, length)
  const bytes = await readAll(world.ledger, mixed, plain)
  t.equal(bytes.subarray(MIB + 7, MIB + 16).toString(), 'only here')
})

t.test('S-38 in a folder what is pinned or only here is left alone and counted', async (t) => {
  const world = await PinWorld.start(t)
  const folder = await world.folder('folder')
  const inner = await world.folder('inner', folder)
  const stored = await world.stored('stored', MIB, inner)
  const pinned = await world.stored('pinned', MIB, folder)
  await world.pins.pin(pinned)
  await world.whenHere(pinned)
  await fetched(world, stored)
  const staged = await world.file('staged', 5_000, inner)
  t.match(await world.pins.evict(folder, NEVER), { files: 1, pinnedFiles: 1, localFiles: 1 })
  t.equal(await hereBytes(world, stored), 0)
  t.equal(await hereBytes(world, pinned), MIB)
  t.equal(await hereBytes(world, staged), 5_000)
})

t.test('S-38 a folder that was just unpinned is evicted whole', async (t) => {
  const world = await PinWorld.start(t)
  const folder = await world.folder('folder')
  const ino = await world.stored('a', MIB, folder)
  await world.pins.pin(folder)
  await world.whenHere(folder)
  await world.pins.unpin(folder)
  let isTold = false
  void world.pins.whenTold(NEVER).then(() => (isTold = true))
  await world.until(() => isTold)
  t.notOk(world.pins.isPinned(ino))
  t.match(await world.pins.evict(folder, NEVER), { files: 1, pinnedFiles: 0 })
  t.equal(await hereBytes(world, ino), 0)
})

t.test('S-37 memory is bounded: inodes beyond half a million are left out and said to be missing', async (t) => {
  const state = new PinState()
  const many = (from: number) => Array.from({ length: 250_000 }, (_, at) => from + at)
  t.ok(state.add(1, many(1)))
  t.ok(state.add(1, many(250_001)))
  t.notOk(state.add(2, [500_001]))
  t.notOk(state.has(500_001))
  t.equal(state.of([1]).leftOutBytes, 0)
  t.ok(state.of([2]).leftOutBytes > 0, 'whoever waits for it is told')
})
