import t from 'tap'
import type { PeerId } from '../../../src/model/ids.js'
import {
  type Description,
  type DescriptionExpectation,
  makeDescriptionSigner,
  signDescription,
  verifyDescription,
} from '../../../src/permits/description.js'
import type { DescriptionSigner } from '../../../src/rtc/signaling.js'
import { keyOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

const golden = readVectors<{
  seed: string
  fields: Omit<Description, 'from'>
  encoded: string
  expected: DescriptionExpectation
  broken: { name: string; encoded: string; code: string }[]
}>('description/description')

t.test('the golden description is signed and verified to the byte', async (t) => {
  t.equal(signDescription(golden.fields, keyOf(golden.seed)).toString('hex'), golden.encoded)
  t.same(verifyDescription(hex(golden.encoded), golden.expected), { ...golden.fields, from: golden.expected.from })
})

for (const { name, encoded, code } of golden.broken) {
  t.test(`refused with ${code}: ${name}`, async (t) => {
    t.throws(() => verifyDescription(hex(encoded), golden.expected), { code })
  })
}

t.test('two signers understand each other, as rtc asks for it', async (t) => {
  const [alice, bob] = [keyOf(1), keyOf(2)]
  const nowMs = () => 1_700_000_000_123.4
  const hers: DescriptionSigner = makeDescriptionSigner(alice, nowMs)
  const his: DescriptionSigner = makeDescriptionSigner(bob, nowMs)
  const session = 'ab'.repeat(16)
  const offer = hers.sign('offer', session, bob.id as PeerId, 'v=0\r\n')
  const expected = { from: alice.id as PeerId, to: bob.id as PeerId, session }
  t.match(his.verify(offer, expected), { type: 'offer', sdp: 'v=0\r\n' })
  t.throws(() => his.verify(offer, { ...expected, session: 'ac'.repeat(16) }), { code: 'fingerprint-mismatch' })
  t.throws(() => hers.sign('offer', session, bob.id as PeerId, 'x'.repeat(32_769)), { code: 'too-large' })
})
