/**
 * A drive's chain: its records, changed by a relay or made by one of its own devices; the pages that they come in; what is sealed
 * in them; the keys that are wrapped in them; the state that is kept of them.
 */

import { open, seal } from '../../../src/crypto/aead.js'
import { BoxKey } from '../../../src/crypto/box-key.js'
import { deriveBatchKey } from '../../../src/crypto/keys.js'
import { type ChainRecord, RECORD_KIND } from '../../../src/model/chain.js'
import { deviceId } from '../../../src/model/ids.js'
import { decodeRecord, joinRecords, signRecord, splitRecords } from '../../../src/permits/chain-record.js'
import { appendRecord, followRecord, startChain } from '../../../src/permits/chain-rules.js'
import { type ChainState, decodeChainState, encodeChainState } from '../../../src/permits/chain-state.js'
import { openPayload, type PayloadPlace, sealPayload } from '../../../src/permits/sealed-payload.js'
import { openDeviceLabelKey, openDeviceTermKeys, openRecoveryTermKeys } from '../../../src/permits/term-keys.js'
import { account, deviceA, deviceB, expected, golden, last, records, states } from '../../support/golden-chain.js'
import { mutate } from '../../support/mutate.js'
import { rampBytes } from '../../support/ramp.js'
import { secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'
import { decoder, jsonDecoder, type Opened, type Target } from '../target.js'

const CHAIN = ['chain-record', 'chain-bodies', 'chain-kinds', 'chain-rules'].map((name) => `src/permits/${name}.ts`)
const CODES = [
  ...['malformed', 'unsupported-version', 'unsupported-feature', 'chain-broken', 'chain-signature'],
  ...['writer-fenced', 'key-term-stale', 'device-revoked', 'drive-forked'],
]
const kindNames = Object.keys(RECORD_KIND) as (keyof typeof RECORD_KIND)[]

/** Places of the golden records of a kind. */
function placesOf(name: keyof typeof RECORD_KIND): number[] {
  return [...records.keys()].filter((at) => records[at]?.kind === RECORD_KIND[name])
}

function follow(at: number, record: ChainRecord): ChainState {
  return at === 0 ? startChain(record, expected) : followRecord(states[at - 1] as ChainState, record)
}

/** States are values: a refusal that changed one would show in its text. */
function unchanged(at: number): () => string[] {
  const text = () => (at === 0 ? '' : encodeChainState(states[at - 1] as ChainState))
  const before = text()
  return () => (text() === before ? [] : ['the state before the record was changed'])
}

function changedRecord(name: keyof typeof RECORD_KIND): Target {
  const [at] = placesOf(name) as [number]
  const samples = [(records[at] as ChainRecord).encoded]
  const take = (input: Buffer) => follow(at, decodeRecord(input))
  const opened = { samples, take, codes: CODES, taken: 'never', conclude: unchanged(at) } as const
  return decoder(`record ${name}, changed`, CHAIN, opened, [`RECORD_KIND.${name}`])
}

const keyOfSigner = (record: ChainRecord) =>
  [account, deviceA, deviceB].find(({ id }) => id === record.signer) as typeof account

/** The body changed, then signed by whom the chain allows it; what is taken can be written down and read again. */
function hostileRecord(name: keyof typeof RECORD_KIND): Target {
  const [at] = placesOf(name) as [number]
  const sound = records[at] as ChainRecord
  const others = placesOf(name).map((place) => (records[place] as ChainRecord).body)
  const open = (): Opened => ({
    samples: [sound.encoded],
    spoil: (dice) => {
      const body = mutate(dice, sound.body, dice.pick(others))
      const terms = dice.roll(0, 5) > 0 ? {} : { writerTerm: dice.pick([0, 1, 2 ** 53 - 1]), keyTerm: dice.roll(0, 3) }
      return signRecord({ ...sound, ...terms, body }, keyOfSigner(sound)).encoded
    },
    take: (input) => {
      const record = decodeRecord(input)
      const next = follow(at, record)
      const text = encodeChainState(next)
      if (encodeChainState(decodeChainState(text)) !== text) throw new Error('a state that does not survive being kept')
      if (at > 0 && encodeChainState(appendRecord(states[at - 1] as ChainState, record)) !== text) {
        throw new Error('the bridge comes to another state than the device')
      }
    },
    codes: CODES,
    taken: 'sometimes',
    conclude: unchanged(at),
  })
  return { name: `record ${name}, by an enemy`, of: CHAIN, open }
}

const page = decoder('page of records', ['src/permits/chain-record.ts'], {
  samples: [joinRecords(records.map(({ encoded }) => encoded)), joinRecords([])],
  take: (input) => {
    const split = splitRecords(input)
    if (!joinRecords(split).equals(input)) throw new Error('another page')
  },
  codes: ['malformed'],
})

const payloads = readVectors<{ termKey: string; place: PayloadPlace; nonce: string }>('chain/payload')
const { place } = payloads
const nonce = hex(payloads.nonce)
const termKey = secretOf(payloads.termKey)
const PLAIN = Buffer.concat([Buffer.from('plain operations, canary'), rampBytes(1, 3_000)])
const secrets = [PLAIN.subarray(0, 24), hex(payloads.termKey)]
const batchKey = deriveBatchKey(termKey)
const associated = Buffer.from(`5344454201${'06'}${place.drive}${'0000000000000001'}${'00000001'}`, 'hex')

/** A batch that one of the owner's devices sealed: the key is right, what it opens to is anything. */
function sealedPayload(name: string, taken: Opened['taken'], isSealedAgain: boolean): Target {
  const open_ = async (): Promise<Opened> => {
    const { sealed } = await sealPayload(termKey, place, PLAIN, nonce)
    const plain = open(batchKey, nonce, sealed, associated)
    return {
      samples: [sealed],
      ...(isSealedAgain && {
        spoil: (dice) => {
          const hostile = Buffer.from(plain)
          // Header and packed bytes; behind them is padding, which is compared as a whole.
          for (let changes = dice.roll(1, 3); changes > 0; changes--) {
            const at = dice.pick([dice.roll(0, 8), dice.roll(0, 800)])
            hostile[at] = dice.pick([0, 1, 0xff, dice.roll(0, 255)])
          }
          return seal(batchKey, nonce, hostile, associated)
        },
      }),
      take: (input) => openPayload(termKey, place, { nonce, sealed: input }),
      codes: isSealedAgain ? ['malformed', 'unsupported-version'] : ['malformed', 'seal-broken'],
      taken,
      secrets,
    }
  }
  return { name, of: ['src/permits/sealed-payload.ts'], open: open_ }
}

/** Wraps of one device and of the phrase, as a chain carries them. */
function wraps(
  name: string,
  wrap: Buffer,
  openAll: (state: ChainState) => unknown,
  put: (wrap: Buffer) => ChainState,
): Target {
  return decoder(`wrapped key, ${name}`, ['src/permits/term-keys.ts', 'src/crypto/box-key.ts'], {
    samples: [wrap],
    take: (input) => openAll(put(input)),
    codes: ['wrap-broken'],
    taken: 'never',
    secrets: golden.termKeys.map((key) => hex(key)),
  })
}

const idOfB = deviceId(deviceB.id)
const boxOfB = deviceB.boxKey()
const knownB = last.devices.get(idOfB) as NonNullable<ReturnType<typeof last.devices.get>>
const withB = (changes: object): ChainState => ({ ...last, devices: new Map([[idOfB, { ...knownB, ...changes }]]) })
const recovery = BoxKey.fromSeed(secretOf(golden.recoverySeed))
const wrapTargets = [
  wraps(
    'term key of a device',
    knownB.wraps.get(2) as Buffer,
    (state) => openDeviceTermKeys(state, idOfB, boxOfB),
    (wrap) => withB({ wraps: new Map([[2, wrap]]) }),
  ),
  wraps(
    'label key of a device',
    knownB.labelWrap,
    (state) => openDeviceLabelKey(state, idOfB, boxOfB),
    (labelWrap) => withB({ labelWrap }),
  ),
  wraps(
    'term key of the phrase',
    last.recoveryWraps.get(2) as Buffer,
    (state) => openRecoveryTermKeys(state, recovery),
    (wrap) => ({ ...last, recoveryWraps: new Map([[2, wrap]]) }),
  ),
]

const keptState = jsonDecoder(
  'chain state, kept',
  ['src/permits/chain-state.ts'],
  [1, 4, 9].map((at) => JSON.parse(encodeChainState(states[at] as ChainState)) as unknown),
  (input) => encodeChainState(decodeChainState(input.toString('utf8'))),
)

export const chainTargets: readonly Target[] = [
  ...kindNames.map(changedRecord),
  ...kindNames.map(hostileRecord),
  page,
  sealedPayload('sealed payload, changed', 'never', false),
  sealedPayload('sealed payload, by an enemy', 'sometimes', true),
  ...wrapTargets,
  keptState,
]
