import t from 'tap'
import { BodyPool } from '../../../src/rtc/body-pool.js'

const SHARD = 1_966_080

t.test('memory that was given back carries the next body of about the same size', async (t) => {
  const pool = new BodyPool()
  const first = pool.take(SHARD)
  t.equal(first.length, SHARD)
  pool.giveBack(first)
  const second = pool.take(SHARD - 1_000)
  t.equal(second.buffer, first.buffer)
  t.equal(second.length, SHARD - 1_000)
  t.not(pool.take(SHARD).buffer, first.buffer, 'what is in use is not given out twice')
})

t.test('the same memory is taken back once, and through any view of it', async (t) => {
  const pool = new BodyPool()
  const body = pool.take(SHARD)
  pool.giveBack(body.subarray(10, 20))
  pool.giveBack(body)
  const again = pool.take(SHARD)
  t.equal(again.buffer, body.buffer)
  t.not(pool.take(SHARD).buffer, body.buffer)
})

t.test('memory of another origin is left alone', async (t) => {
  const pool = new BodyPool()
  const foreign = Buffer.allocUnsafeSlow(SHARD)
  pool.giveBack(foreign)
  t.not(pool.take(SHARD).buffer, foreign.buffer)
  const small = pool.take(1_000)
  t.equal(small.buffer.byteLength, 1_000, 'a small body has no more than it needs')
  pool.giveBack(small)
  t.not(pool.take(1_000).buffer, small.buffer)
})

t.test('no more is kept than eight whole shards', async (t) => {
  const pool = new BodyPool()
  const bodies = Array.from({ length: 20 }, () => pool.take(SHARD))
  for (const body of bodies) pool.giveBack(body)
  const known = new Set(bodies.map((body) => body.buffer))
  const again = Array.from({ length: 20 }, () => pool.take(SHARD))
  t.equal(again.filter((body) => known.has(body.buffer)).length, 8)
})
