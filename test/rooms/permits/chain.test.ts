import t from 'tap'
import { BoxKey } from '../../../src/crypto/box-key.js'
import { type ChainRecord, RECORD_KIND } from '../../../src/model/chain.js'
import { deviceId } from '../../../src/model/ids.js'
import { decodeEpoch, encodeEpoch } from '../../../src/permits/chain-bodies.js'
import { decodeRecord, joinRecords, signRecord, splitRecords } from '../../../src/permits/chain-record.js'
import {
  appendRecord,
  checkHead,
  checkWitness,
  followRecord,
  isReadOnlyByFeatures,
  startChain,
} from '../../../src/permits/chain-rules.js'
import { type ChainState, decodeChainState, encodeChainState } from '../../../src/permits/chain-state.js'
import { openPayload } from '../../../src/permits/sealed-payload.js'
import { openDeviceLabelKey, openDeviceTermKeys, openRecoveryTermKeys } from '../../../src/permits/term-keys.js'
import { decodeWitness, signWitness } from '../../../src/permits/witness.js'
import { account, deviceA, deviceB, expected, golden, last, records, states } from '../../support/golden-chain.js'
import { keyOf, revealed, secretOf } from '../../support/secrets.js'
import { hex } from '../../support/vectors.js'

t.test('a golden chain of every kind of record is followed, appended and hashed to the byte', async (t) => {
  let state = startChain(records[0] as ChainRecord)
  for (const [at, record] of records.entries()) {
    t.equal(record.hash.toString('hex'), golden.records[at]?.hash, golden.records[at]?.name ?? '')
    if (at > 0) state = appendRecord(state, record)
  }
  t.same(state, last, 'bridge and device come to the same state')
  t.same(new Set(records.map((record) => record.kind)), new Set(Object.values(RECORD_KIND)))
  t.match(last, {
    keyTerm: 2,
    writerTerm: 2,
    writer: deviceB.id,
    epoch: 2,
    head: { sequence: 9, hash: hex(golden.records[9]?.hash as string) },
    features: { compatible: 5n, readOnlyCompatible: 0n, incompatible: 1n },
    snapshots: [{ epoch: 2, sequence: 6 }],
  })
  t.equal(last.devices.get(deviceId(deviceA.id))?.revokedSequence, 8)
  t.equal(last.devices.get(deviceId(deviceB.id))?.revokedSequence, null)
})

t.test('signing the fields of a golden record again gives its bytes', async (t) => {
  for (const record of records) {
    const key = [account, deviceA, deviceB].find(({ id }) => id === record.signer)
    t.ok(key && signRecord(record, key).encoded.equals(record.encoded))
  }
})

t.test('the keys in a golden chain open for whom they were wrapped, its payloads with them', async (t) => {
  const ofA = openDeviceTermKeys(last, deviceId(deviceA.id), deviceA.boxKey())
  const ofB = openDeviceTermKeys(last, deviceId(deviceB.id), deviceB.boxKey())
  const ofPhrase = openRecoveryTermKeys(last, BoxKey.fromSeed(secretOf(golden.recoverySeed)))
  for (const keys of [ofA, ofB, ofPhrase]) {
    t.same(
      [...keys].map(([term, key]) => [term, revealed(key)]),
      [
        [1, golden.termKeys[0]],
        [2, golden.termKeys[1]],
      ],
    )
  }
  t.equal(revealed(openDeviceLabelKey(last, deviceId(deviceB.id), deviceB.boxKey())), golden.labelKey)
  t.throws(() => openDeviceTermKeys(last, deviceId(deviceA.id), deviceB.boxKey()), { code: 'wrap-broken' })
  t.throws(() => openDeviceTermKeys(last, deviceId(keyOf(9).id), deviceA.boxKey()), { code: 'unknown-device' })
  for (const record of records) {
    if (record.kind !== RECORD_KIND.epoch && record.kind !== RECORD_KIND.snapshot) continue
    const body = decodeEpoch(record.body)
    const termKey = ofB.get(record.keyTerm)
    const place = { kind: record.kind, drive: record.drive, epoch: body.epoch, keyTerm: record.keyTerm }
    t.ok(termKey && (await openPayload(termKey, place, body)).length === 64)
    t.ok(encodeEpoch(body).equals(record.body))
  }
})

for (const { name, record, code } of golden.brokenGenesis) {
  t.test(`no chain starts with a genesis ${name}: ${code}`, async (t) => {
    t.throws(() => startChain(decodeRecord(hex(record)), expected), { code })
  })
}

for (const { name, on, record, follow, append } of golden.broken) {
  t.test(`${name}: ${follow}${append === follow ? '' : `, ${append} at the bridge`}`, async (t) => {
    const state = states[on] as ChainState
    const before = encodeChainState(state)
    t.throws(() => followRecord(state, decodeRecord(hex(record))), { code: follow })
    t.throws(() => appendRecord(state, decodeRecord(hex(record))), { code: append })
    t.equal(encodeChainState(state), before, 'a refused record changes nothing')
  })
}

t.test('head-moved says where the head is', async (t) => {
  const moved = golden.broken.find(({ append }) => append === 'head-moved')
  const details = { sequence: 9, hash: last.head.hash.toString('hex') }
  t.throws(() => appendRecord(last, decodeRecord(hex(moved?.record as string))), { code: 'head-moved', details })
})

t.test('a state survives being written down, whatever comes next', async (t) => {
  for (const state of states) t.same(decodeChainState(encodeChainState(state)), state)
  const revived = decodeChainState(encodeChainState(last))
  t.match(followRecord(revived, decodeRecord(hex(golden.good))), { epoch: 3 })
  for (const text of ['', '{}', 'null', encodeChainState(last).replace('"version":1', '"version":2')]) {
    t.throws(() => decodeChainState(text), { code: 'malformed' })
  }
})

t.test('a bridge that goes back or shows another history is told by its head', async (t) => {
  const other = Buffer.alloc(32, 7)
  t.doesNotThrow(() => checkHead(last, last.head))
  t.doesNotThrow(() => checkHead(last, { sequence: 10, hash: other }), 'a higher head has yet to be followed')
  t.throws(() => checkHead(last, { sequence: 8, hash: states[8]?.head.hash as Buffer }), { code: 'drive-rolled-back' })
  t.throws(() => checkHead(last, { sequence: 9, hash: other }), { code: 'drive-forked' })
})

t.test('a witness on a host unmasks a bridge that goes back, a strange witness says nothing', async (t) => {
  const pseudonym = '0'.repeat(32) as never
  const witness = (sequence: number, hash: Buffer, key = deviceA) =>
    decodeWitness(signWitness({ pseudonym, sequence, hash, timeMs: 1 }, key))
  t.ok(checkWitness(last, witness(9, last.head.hash)))
  t.ok(checkWitness(last, witness(3, Buffer.alloc(32))), 'an older one is not compared here')
  t.throws(() => checkWitness(last, witness(10, Buffer.alloc(32))), { code: 'drive-rolled-back' })
  t.throws(() => checkWitness(last, witness(9, Buffer.alloc(32))), { code: 'drive-forked' })
  t.notOk(checkWitness(last, witness(10, Buffer.alloc(32), keyOf(5))))
})

t.test('an unknown read-only-compatible feature leaves the drive readable', async (t) => {
  t.notOk(isReadOnlyByFeatures(last))
  t.ok(isReadOnlyByFeatures({ ...last, features: { ...last.features, readOnlyCompatible: 2n } }))
})

t.test('pages of records are split as they were joined', async (t) => {
  const page = joinRecords(records.map(({ encoded }) => encoded))
  t.same(
    splitRecords(page),
    records.map(({ encoded }) => encoded),
  )
  t.same(splitRecords(Buffer.alloc(0)), [])
  t.throws(() => splitRecords(page.subarray(0, page.length - 1)), { code: 'malformed' })
  t.throws(() => splitRecords(Buffer.from('ffffffff00', 'hex')), { code: 'malformed' })
})
