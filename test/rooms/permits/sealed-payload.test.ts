import t from 'tap'
import { RECORD_KIND } from '../../../src/model/chain.js'
import { openPayload, type PayloadPlace, sealPayload } from '../../../src/permits/sealed-payload.js'
import { noiseBytes } from '../../support/noise.js'
import { secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

const golden = readVectors<{
  termKey: string
  place: PayloadPlace
  nonce: string
  stored: { plain: string; sealed: string }
  deflated: { plain: string; sealed: string }
  broken: { name: string; sealed: string; code: string }[]
}>('chain/payload')
const termKey = secretOf(golden.termKey)
const nonce = hex(golden.nonce)
const { place } = golden

t.test('golden payloads open; the stored one is sealed to the byte', async (t) => {
  for (const { plain, sealed } of [golden.stored, golden.deflated]) {
    t.equal((await openPayload(termKey, place, { nonce, sealed: hex(sealed) })).toString('hex'), plain)
  }
  const sealed = await sealPayload(termKey, place, hex(golden.stored.plain), nonce)
  t.equal(sealed.sealed.toString('hex'), golden.stored.sealed)
})

for (const { name, sealed, code } of golden.broken) {
  t.test(`refused with ${code}: ${name}`, async (t) => {
    await t.rejects(openPayload(termKey, place, { nonce, sealed: hex(sealed) }), { code })
  })
}

t.test('any size goes through and shows only its class', async (t) => {
  const snapshot: PayloadPlace = { ...place, kind: RECORD_KIND.snapshot }
  const classes = [4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 8_388_608]
  for (const size of [0, 1, 4_086, 4_087, 4_088, 16_375, 16_376, 70_000, 300_000, 2_000_000, 8_388_599]) {
    const plain = noiseBytes(size, size)
    const payload = await sealPayload(termKey, snapshot, plain, nonce)
    const least = classes.find((one) => one >= size + 9) as number
    t.equal(payload.sealed.length, least + 16, `${size} bytes`)
    t.ok((await openPayload(termKey, snapshot, payload)).equals(plain))
  }
})

t.test('16 MiB that compress well go through, a byte more and what does not fit are refused', async (t) => {
  const plain = Buffer.alloc(16_777_216, 'compressible ')
  const payload = await sealPayload(termKey, place, plain, nonce)
  t.ok((await openPayload(termKey, place, payload)).equals(plain))
  await t.rejects(sealPayload(termKey, place, Buffer.alloc(16_777_217), nonce), { code: 'payload-too-large' })
  await t.rejects(sealPayload(termKey, place, noiseBytes(1, 8_388_600), nonce), { code: 'payload-too-large' })
})
