import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import { memoryAddon, release } from '../../../src/addon/memory.js'

const MIB = 1_048_576

t.test('released memory is gone for every view, without a collector', async (t) => {
  const bytes = Buffer.alloc(MIB, 1)
  const part = bytes.subarray(10, 20)
  const before = process.memoryUsage().arrayBuffers
  release(bytes)
  t.equal(bytes.length + part.length, 0)
  t.ok(before - process.memoryUsage().arrayBuffers >= MIB)
})

t.test('so is memory that the codec made', async (t) => {
  const held = await Promise.all(
    Array.from({ length: 8 }, () => codecAddon().sealSegment(Buffer.alloc(32), Buffer.alloc(7 * MIB), 7 * MIB, 4, 8)),
  )
  const before = process.memoryUsage.rss()
  for (const { shards } of held) release(shards)
  // It is unmapped by the loop's next turn, not by this call.
  await turn()
  await turn()
  t.ok(before - process.memoryUsage.rss() > 50 * MIB)
  t.ok(held.every(({ shards }) => shards.length === 0))
})

t.test("small buffers are left to the collector: they may be slices of Node's pool", async (t) => {
  const small = Buffer.from('in the pool')
  release(small)
  t.equal(small.toString(), 'in the pool')
})

t.test('what is no memory of its own is refused', async (t) => {
  for (const wrong of [undefined, 1, 'text', {}, Buffer.alloc(10)]) {
    t.throws(() => memoryAddon().release(wrong as never), TypeError)
  }
})

t.test('the allocator takes whole numbers above zero', async (t) => {
  const sound = { arenasMax: 2, mappedBytesMin: 262_144, keptBytesMax: 2_097_152 }
  const glibc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime
  t.equal(memoryAddon().setAllocator(sound), glibc !== undefined)
  if (glibc === undefined) return
  for (const wrong of [{ ...sound, arenasMax: 0 }, { ...sound, keptBytesMax: 'much' as never }, {} as never]) {
    t.throws(() => memoryAddon().setAllocator(wrong), TypeError)
  }
  memoryAddon().trim()
})
