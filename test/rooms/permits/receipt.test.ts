import t from 'tap'
import * as ids from '../../../src/model/ids.js'
import { decodeReceipt, RECEIPT_BYTES, type Receipt, signReceipt, verifyReceipt } from '../../../src/permits/receipt.js'
import { decodeWitness, signWitness, verifyWitness, WITNESS_BYTES } from '../../../src/permits/witness.js'
import { keyOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

interface Broken {
  name: string
  encoded: string
  code: string
}
const receipts = readVectors<{ hostSeed: string; fields: Receipt; encoded: string; broken: Broken[] }>(
  'receipt/receipt',
)
const witnesses = readVectors<{
  deviceSeed: string
  fields: { pseudonym: ids.Pseudonym; sequence: number; hash: string; timeMs: number; device: ids.DeviceId }
  encoded: string
  broken: Broken[]
}>('witness/witness')

t.test('the golden receipt is signed, decoded and verified to the byte', async (t) => {
  const encoded = hex(receipts.encoded)
  t.equal(signReceipt(receipts.fields, keyOf(receipts.hostSeed)).toString('hex'), receipts.encoded)
  t.same(decodeReceipt(encoded), receipts.fields)
  t.equal(encoded.length, RECEIPT_BYTES)
  const { storedAtMs: _, keepUntilMs: __, ...expected } = receipts.fields
  t.same(verifyReceipt(encoded, expected), receipts.fields)
  t.same(verifyReceipt(encoded, { host: receipts.fields.host }), receipts.fields, 'only what is expected is compared')
})

for (const { name, encoded, code } of receipts.broken) {
  t.test(`receipt refused with ${code}: ${name}`, async (t) => {
    const { host, serial, segment, index, shard } = receipts.fields
    t.throws(() => verifyReceipt(hex(encoded), { host, serial, segment, index, shard }), { code })
  })
}

t.test('a mismatch says which field', async (t) => {
  const expected = { host: receipts.fields.host, generation: 6 }
  t.throws(() => verifyReceipt(hex(receipts.encoded), expected), {
    code: 'receipt-mismatch',
    details: { field: 'generation' },
  })
})

t.test('the golden witness is signed, decoded and verified to the byte', async (t) => {
  const encoded = hex(witnesses.encoded)
  const fields = { ...witnesses.fields, hash: hex(witnesses.fields.hash) }
  t.equal(signWitness(fields, keyOf(witnesses.deviceSeed)).toString('hex'), witnesses.encoded)
  t.same(decodeWitness(encoded), fields)
  t.equal(encoded.length, WITNESS_BYTES)
  t.same(verifyWitness(encoded, { pseudonym: fields.pseudonym, device: fields.device }), fields)
  const other = ids.pseudonymId('0'.repeat(32))
  t.throws(() => verifyWitness(encoded, { pseudonym: other }), { code: 'witness-mismatch' })
})

for (const { name, encoded, code } of witnesses.broken) {
  t.test(`witness refused with ${code}: ${name}`, async (t) => {
    const { pseudonym, device } = witnesses.fields
    t.throws(() => verifyWitness(hex(encoded), { pseudonym, device }), { code })
  })
}
