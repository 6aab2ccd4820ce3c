import { inspect } from 'node:util'
import t from 'tap'
import { systemRandom } from '../../../src/base/random.js'
import { SecretBytes, wipeAfter } from '../../../src/crypto/secret.js'

t.test('a secret shows itself to nobody but use()', async (t) => {
  const secret = SecretBytes.take(Buffer.from('a secret that must not be shown!'))
  t.equal(String(secret), '[secret]')
  t.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}')
  t.notMatch(inspect(secret, { depth: 9, showHidden: true }), /must not/)
  t.same(Object.keys(secret), ['size'])
  t.equal(
    secret.use((bytes) => bytes.toString()),
    'a secret that must not be shown!',
  )
})

t.test('taking bytes zeroes their source', async (t) => {
  const source = Buffer.from([1, 2, 3])
  const secret = SecretBytes.take(source)
  t.same(source, Buffer.alloc(3))
  t.same(
    secret.use((bytes) => [...bytes]),
    [1, 2, 3],
  )
})

t.test('a wiped secret cannot be used, and wiping twice is harmless', async (t) => {
  const secret = SecretBytes.random(32, systemRandom)
  const second = secret.copy()
  t.ok(secret.equals(second))
  secret.wipe()
  secret.wipe()
  t.ok(secret.wiped)
  t.throws(() => secret.use(() => {}), { name: 'BrokenBelief' })
  t.equal(
    second.use((bytes) => bytes.length),
    32,
    'a copy has a life of its own',
  )
})

t.test('wiping waits for an asynchronous use', async (t) => {
  const secret = SecretBytes.take(Buffer.from([7, 7]))
  let release: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const use = secret.use(async (bytes) => {
    await gate
    return [...bytes]
  })
  secret.wipe()
  t.throws(() => secret.use(() => {}), { name: 'BrokenBelief' }, 'no new use begins')
  release()
  t.same(await use, [7, 7], 'the running one still sees the bytes')
})

t.test('wipeAfter wipes after a result, a failure and a promise', async (t) => {
  const make = () => SecretBytes.random(8, systemRandom)
  const [one, two, three] = [make(), make(), make()]
  wipeAfter([one], () => 1)
  t.throws(() =>
    wipeAfter([two], () => {
      throw new Error('no')
    }),
  )
  await wipeAfter([three], async () => {})
  t.same([one.wiped, two.wiped, three.wiped], [true, true, true])
})

t.test('a failing fill leaves nothing behind', async (t) => {
  t.throws(
    () =>
      SecretBytes.make(8, () => {
        throw new Error('no')
      }),
    { message: 'no' },
  )
})

t.test('secrets differ when a byte or the length differs', async (t) => {
  const of = (...bytes: number[]) => SecretBytes.take(Buffer.from(bytes))
  t.notOk(of(1, 2).equals(of(1, 3)))
  t.notOk(of(1, 2).equals(of(1, 2, 3)))
})

t.test('what is wiped is zero at once, and a turn of the event loop may make any number of secrets', async (t) => {
  const secret = SecretBytes.random(24, systemRandom)
  let kept: Buffer = Buffer.alloc(0)
  secret.use((bytes) => {
    kept = bytes
  })
  secret.wipe()
  t.same(kept, Buffer.alloc(24))
  // More than a process may have mappings: each guarded memory is four of them.
  for (let count = 0; count < 70_000; count++) SecretBytes.take(Buffer.alloc(24, 1)).wipe()
  t.ok(
    SecretBytes.random(24, systemRandom).use((bytes) => bytes.some((byte) => byte !== 0)),
    'and the next is as good',
  )
})
