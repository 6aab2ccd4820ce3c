import t from 'tap'
import { PlaceRequest } from '../../../src/wire/api.js'
import { checkValue, decodeJson } from '../../../src/wire/check.js'
import { Type } from '../../../src/wire/schema.js'

const HEX = 'ab'.repeat(32)
const segment = { segment: HEX, root: HEX, k: 1, n: 2, paddedLength: 1, shardLength: 1, shards: [HEX, HEX] }

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

t.test('the first fault is named by the schema, and nothing that was sent is shown', async (t) => {
  const of = (value: unknown) => messageOf(() => checkValue(PlaceRequest, value, 'call'))
  t.equal(of({ segments: [segment] }), 'nothing was thrown')
  t.equal(of({ segments: [segment, { ...segment, k: 'secret' }] }), 'call: /segments/1/k is not what it may be')
  t.equal(
    of({ segments: [segment, { ...segment, shards: [HEX, 'secret'] }] }),
    'call: /segments/1/shards/1 is not what it may be',
  )
  t.equal(of({ segments: [{ ...segment, secret: 1 }] }), 'call: /segments/0 has more members than it may')
  t.equal(of({ segments: [{}] }), 'call: /segments/0 lacks segment')
  t.equal(of({ segments: [] }), 'call: /segments is not what it may be')
  t.equal(of('secret'), 'call: the body is not what it may be')
  t.equal(
    messageOf(() => decodeJson(PlaceRequest, '{"secret"', 'call')),
    'call: not JSON',
  )
  const pairs = Type.Object({ pairs: Type.Array(Type.Tuple([Type.String(), Type.Number()])) })
  const ofPairs = (...list: unknown[]) => messageOf(() => checkValue(pairs, { pairs: list }, 'call'))
  t.equal(ofPairs(['a', 1], ['b', 'secret']), 'call: /pairs/1/1 is not what it may be')
  t.equal(ofPairs(['a', 1, 'secret']), 'call: /pairs/0 is not what it may be')
  const named = Type.Object({ named: Type.Record(Type.String(), Type.Number()) })
  t.equal(
    messageOf(() => checkValue(named, { named: { secret: 'x' } }, 'call')),
    'call: /named is not what it may be',
  )
})

t.test('of a list that is wrong altogether, one item is looked at', async (t) => {
  let looked = 0
  const look = <T>(answer: T) => {
    looked++
    return answer
  }
  const traps = { getPrototypeOf: () => look(null), has: () => look(false), ownKeys: () => look([]) }
  const item = new Proxy({}, traps)
  const of = (count: number) => {
    looked = 0
    const segments = Array.from({ length: count }, () => item)
    t.match(
      messageOf(() => checkValue(PlaceRequest, { segments }, 'call')),
      /segments\/0/,
    )
    return looked
  }
  t.equal(of(300_000), of(2), 'however long it is')
})
