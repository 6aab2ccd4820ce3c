import t from 'tap'
import { bridgeId } from '../../../src/model/ids.js'
import { MARK_BYTES, signMark, verifyMark } from '../../../src/permits/bridge-mark.js'
import { keyOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

const vectors = readVectors<{
  bridgeSeed: string
  bridge: string
  fields: { incarnation: number; tick: number; nonce: string }
  encoded: string
  broken: { name: string; encoded: string; code: string }[]
}>('mark/mark')
const fields = { ...vectors.fields, nonce: hex(vectors.fields.nonce) }

t.test('a mark is the bytes of docs/format.md, signed', async (t) => {
  t.equal(signMark(fields, keyOf(vectors.bridgeSeed)).toString('hex'), vectors.encoded)
  t.equal(vectors.encoded.length, 2 * MARK_BYTES)
  t.same(verifyMark(hex(vectors.encoded), bridgeId(vectors.bridge)), fields)
})

for (const { name, encoded, code } of vectors.broken) {
  t.test(`a mark with ${name} is refused`, async (t) => {
    t.throws(() => verifyMark(hex(encoded), bridgeId(vectors.bridge)), { code })
  })
}

t.test('a mark of another bridge is refused', async (t) => {
  t.throws(() => verifyMark(hex(vectors.encoded), bridgeId('ab'.repeat(32))), { code: 'mark-signature' })
})
