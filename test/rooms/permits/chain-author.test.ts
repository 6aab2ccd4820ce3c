import t from 'tap'
import { systemRandom } from '../../../src/base/random.js'
import { BoxKey } from '../../../src/crypto/box-key.js'
import { drawTermKey } from '../../../src/crypto/keys.js'
import type { SigningKey } from '../../../src/crypto/signing-key.js'
import { RECORD_KIND } from '../../../src/model/chain.js'
import { deviceId, driveId, segmentId } from '../../../src/model/ids.js'
import * as author from '../../../src/permits/chain-author.js'
import { decodeRecord } from '../../../src/permits/chain-record.js'
import { appendRecord, followRecord, startChain } from '../../../src/permits/chain-rules.js'
import type { ChainState } from '../../../src/permits/chain-state.js'
import { sealPayload } from '../../../src/permits/sealed-payload.js'
import { openDeviceLabelKey, openDeviceTermKeys, openRecoveryTermKeys } from '../../../src/permits/term-keys.js'
import { keyOf, revealed, secretOf } from '../../support/secrets.js'

const drive = driveId('5'.repeat(32))
const account = keyOf(1)
const [first, second] = [keyOf(2), keyOf(3)]
const idOf = (key: SigningKey) => deviceId(key.id)
const recovery = BoxKey.fromSeed(secretOf(Buffer.alloc(32, 9)))
const termKey = drawTermKey(systemRandom)
const labelKey = drawTermKey(systemRandom)
const timeMs = 1_700_000_000_000

function freshChain(): ChainState {
  const parts = { drive, timeMs, account, recovery, device: idOf(first), termKey, labelKey }
  return startChain(decodeRecord(author.makeGenesis(parts).encoded))
}

async function epochOf(state: ChainState, epoch: number, key: SigningKey, writerTerm: number) {
  const place = { kind: RECORD_KIND.epoch, drive, epoch, keyTerm: state.keyTerm }
  const payload = await sealPayload(termKey, place, Buffer.from('operations'), systemRandom(24))
  const body = { epoch, ...payload, confirm: [segmentId('a'.repeat(64))], retire: [] }
  return author.makeEpoch(state, RECORD_KIND.epoch, { body, writerTerm, timeMs }, key)
}

t.test('the life of a drive: made, written, shared, taken over, a device sent away', async (t) => {
  let state = freshChain()
  const claim = author.makeWriterTerm(state, timeMs, first)
  state = appendRecord(state, claim)
  state = appendRecord(state, await epochOf(state, 1, first, 1))

  const termKeys = openRecoveryTermKeys(state, recovery)
  state = appendRecord(
    state,
    author.makeDeviceAdd(state, { device: idOf(second), termKeys, labelKey, timeMs }, account),
  )
  t.equal(revealed(openDeviceLabelKey(state, idOf(second), second.boxKey())), revealed(labelKey))

  state = appendRecord(state, author.makeDeviceRevoke(state, idOf(first), timeMs, account))
  t.equal(state.writer, null, 'the writer was sent away')
  const nextKey = drawTermKey(systemRandom)
  state = appendRecord(state, author.makeKeyTerm(state, nextKey, timeMs, account))
  t.same([...openDeviceTermKeys(state, idOf(second), second.boxKey()).keys()], [1, 2])
  t.same([...openDeviceTermKeys(state, idOf(first), first.boxKey()).keys()], [1], 'nothing new for the revoked one')

  state = appendRecord(state, author.makeWriterTerm(state, timeMs, second))
  state = appendRecord(state, await epochOf(state, 2, second, 2))
  const features = { compatible: 1n << 63n, readOnlyCompatible: 4n, incompatible: 1n }
  state = appendRecord(state, author.makeFeatures(state, features, timeMs, account))
  t.same(state.features, features)
  t.match(state, { epoch: 2, writerTerm: 2, writer: second.id, keyTerm: 2, head: { sequence: 8 } })
})

t.test('the same sealed batch is signed again on a head that moved', async (t) => {
  let state = freshChain()
  state = appendRecord(state, author.makeWriterTerm(state, timeMs, first))
  const payload = { nonce: systemRandom(24), sealed: Buffer.alloc(4_112) }
  const body = { epoch: 1, ...payload, confirm: [], retire: [] }
  const make = (on: ChainState) => author.makeEpoch(on, RECORD_KIND.epoch, { body, writerTerm: 1, timeMs }, first)
  const early = make(state)
  const other = author.makeFeatures(state, state.features, timeMs, account)
  state = appendRecord(state, other)
  t.throws(() => appendRecord(state, early), { code: 'head-moved' })
  t.equal(appendRecord(state, make(state)).epoch, 1)
})

t.test('epoch numbers rise, and no record may use up those that are left', async (t) => {
  let state = freshChain()
  state = appendRecord(state, author.makeWriterTerm(state, timeMs, first))
  const payload = { nonce: systemRandom(24), sealed: Buffer.alloc(4_112), confirm: [], retire: [] }
  const make = (epoch: number) =>
    author.makeEpoch(state, RECORD_KIND.epoch, { body: { epoch, ...payload }, writerTerm: 1, timeMs }, first)
  t.throws(() => appendRecord(state, make(0)), { code: 'chain-broken' })
  t.throws(() => appendRecord(state, make(Number.MAX_SAFE_INTEGER)), { code: 'chain-broken' })
  t.equal(appendRecord(state, make(2 ** 32)).epoch, 2 ** 32)
})

t.test('of two devices that claim at once, one claim stands and the other learns of it', async (t) => {
  let state = freshChain()
  const termKeys = new Map([[1, termKey]])
  state = appendRecord(
    state,
    author.makeDeviceAdd(state, { device: idOf(second), termKeys, labelKey, timeMs }, account),
  )
  const [one, two] = [author.makeWriterTerm(state, timeMs, first), author.makeWriterTerm(state, timeMs, second)]
  const after = appendRecord(state, one)
  t.throws(() => appendRecord(after, two), { code: 'head-moved' })
  t.throws(() => followRecord(after, two), { code: 'chain-broken' }, 'nor can it be shown as what comes next')
  t.throws(
    () =>
      appendRecord(
        after,
        author.makeEpoch(
          after,
          RECORD_KIND.epoch,
          {
            body: { epoch: 1, nonce: systemRandom(24), sealed: Buffer.alloc(4_112), confirm: [], retire: [] },
            writerTerm: 1,
            timeMs,
          },
          second,
        ),
      ),
    { code: 'writer-fenced' },
  )
})

t.test('a body above the limit is not signed', async (t) => {
  const state = freshChain()
  const body = { epoch: 1, nonce: systemRandom(24), sealed: Buffer.alloc(8_912_896), confirm: [], retire: [] }
  const make = () => author.makeEpoch(state, RECORD_KIND.epoch, { body, writerTerm: 1, timeMs }, first)
  t.throws(make, { code: 'record-too-large' })
})

t.test('drives hold at most 256 devices', async (t) => {
  let state = freshChain()
  const termKeys = new Map([[1, termKey]])
  const add = (on: ChainState, seed: number) =>
    author.makeDeviceAdd(on, { device: idOf(keyOf(seed)), termKeys, labelKey, timeMs }, account)
  for (let seed = 1_000; state.devices.size < 256; seed++) state = appendRecord(state, add(state, seed))
  t.throws(() => appendRecord(state, add(state, 5_000)), { code: 'chain-broken' })
})
