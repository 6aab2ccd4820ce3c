/**
 * Tokens, receipts, witnesses, descriptions, signed requests. Each twice: changed on its way (nothing is taken), and made by one
 * who has the key and means ill (what is taken must be sound).
 */
import { AppError } from '../../../src/base/errors.js'
import { sha256 } from '../../../src/crypto/hash.js'
import type { SigningKey } from '../../../src/crypto/signing-key.js'
import * as ids from '../../../src/model/ids.js'
import {
  decodeAnswer,
  decodeChallenge,
  judge,
  verifyAnswer,
  verifyChallenge,
  verifyTranscript,
} from '../../../src/permits/audit.js'
import { verifyMark } from '../../../src/permits/bridge-mark.js'
import { type Description, type DescriptionExpectation, verifyDescription } from '../../../src/permits/description.js'
import { openDriveLabel, sealDriveLabel } from '../../../src/permits/drive-label.js'
import { type Receipt, verifyReceipt } from '../../../src/permits/receipt.js'
import { signReply, verifyRequest } from '../../../src/permits/request-signature.js'
import { type TokenExpectation, verifyToken } from '../../../src/permits/token.js'
import { verifyWitness } from '../../../src/permits/witness.js'
import { cleanSdp } from '../../../src/rtc/sdp.js'
import { HEADER } from '../../../src/wire/api.js'
import { requestText } from '../../../src/wire/signed-http.js'
import type { Dice } from '../../support/dice.js'
import { noiseBytes } from '../../support/noise.js'
import { keyOf, secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'
import { decoder, spoilBytes, type Target } from '../target.js'

const SIGNATURE_BYTES = 64
const tokens = readVectors<
  { bridgeSeed: string; expected: TokenExpectation } & Record<'put' | 'get' | 'delete', { encoded: string }>
>('token/token')
const receipts = readVectors<{ hostSeed: string; fields: Receipt; encoded: string }>('receipt/receipt')
const witnesses = readVectors<{
  deviceSeed: string
  fields: { pseudonym: ids.Pseudonym; device: ids.DeviceId }
  encoded: string
}>('witness/witness')
const marks = readVectors<{ bridgeSeed: string; bridge: string; encoded: string }>('mark/mark')
const descriptions = readVectors<{
  seed: string
  fields: Description
  encoded: string
  expected: DescriptionExpectation
}>('description/description')

/** Signs whatever stands before the signature. */
function signedAgain(key: SigningKey): (dice: Dice, samples: readonly Buffer[]) => Buffer {
  return (dice, samples) => {
    const spoilt = spoilBytes(
      dice,
      samples.map((one) => one.subarray(0, one.length - SIGNATURE_BYTES)),
    )
    return Buffer.concat([spoilt, key.sign(spoilt)])
  }
}

interface Signed {
  name: string
  file: string
  samples: readonly Buffer[]
  key: SigningKey
  take(input: Buffer): unknown
  codes: readonly string[]
}

function signedTargets({ name, file, samples, key, take, codes }: Signed): Target[] {
  const of = [`src/permits/${file}.ts`, 'src/permits/signed-bytes.ts']
  return [
    decoder(`${name}, changed`, of, { samples, take, codes, taken: 'never' }, [`signed ${file}`]),
    decoder(`${name}, signed by an enemy`, of, { samples, take, codes, spoil: signedAgain(key) }),
  ]
}

const tokenCodes = 'malformed expired not-yet other-host other-holder action signature other-bridge'.split(' ')
const tokenTargets = (['put', 'get', 'delete'] as const).flatMap((action) =>
  signedTargets({
    name: `token ${action}`,
    file: 'token',
    samples: [hex(tokens[action].encoded)],
    key: keyOf(tokens.bridgeSeed),
    take: (input) => verifyToken(input, { ...tokens.expected, action }),
    codes: tokenCodes.map((code) => `token-${code}`),
  }),
)

const receiptTargets = signedTargets({
  name: 'receipt',
  file: 'receipt',
  samples: [hex(receipts.encoded)],
  key: keyOf(receipts.hostSeed),
  take: (input) => verifyReceipt(input, { host: receipts.fields.host }),
  codes: ['receipt-malformed', 'receipt-mismatch', 'receipt-signature'],
})

const witnessTargets = signedTargets({
  name: 'head witness',
  file: 'witness',
  samples: [hex(witnesses.encoded)],
  key: keyOf(witnesses.deviceSeed),
  take: (input) => verifyWitness(input, witnesses.fields),
  codes: ['witness-malformed', 'witness-mismatch', 'witness-signature'],
})

const audits = readVectors<{
  bridgeSeed: string
  hostSeed: string
  challenge: { bridge: ids.BridgeId; host: ids.HostId; issuedAtMs: number }
  encoded: { challenge: string; answer: string; body: string; transcript: string }
}>('audit/audit')
const auditCodes = ['audit-malformed', 'audit-mismatch', 'audit-signature']
const auditTargets = [
  ...signedTargets({
    name: 'audit challenge',
    file: 'audit',
    samples: [hex(audits.encoded.challenge)],
    key: keyOf(audits.bridgeSeed),
    take: (input) => verifyChallenge(input, { ...audits.challenge, nowMs: audits.challenge.issuedAtMs }),
    codes: [...auditCodes, 'clock-skew'],
  }),
  ...signedTargets({
    name: 'audit answer',
    file: 'audit',
    samples: [hex(audits.encoded.answer)],
    key: keyOf(audits.hostSeed),
    take: (input) =>
      verifyAnswer(input, {
        challenge: decodeChallenge(hex(audits.encoded.challenge)),
        ...{ encoded: hex(audits.encoded.challenge), body: hex(audits.encoded.body) },
      }),
    codes: auditCodes,
  }),
  decoder('audit transcript', ['src/permits/audit.ts'], {
    samples: [hex(audits.encoded.transcript)],
    take: verifyTranscript,
    codes: auditCodes,
    taken: 'never',
  }),
  // Signed by its host, so it is taken: as proofs of nothing.
  decoder('audit body', ['src/permits/audit.ts'], {
    samples: [hex(audits.encoded.body)],
    take: async (input) => {
      const challenge = decodeChallenge(hex(audits.encoded.challenge))
      const findings = await judge(challenge, decodeAnswer(hex(audits.encoded.answer)), input)
      if (!findings.includes('proved')) throw new AppError('audit-mismatch', 'nothing is proved')
    },
    codes: auditCodes,
  }),
]
const markTargets = signedTargets({
  name: 'mark of a bridge',
  file: 'bridge-mark',
  samples: [hex(marks.encoded)],
  key: keyOf(marks.bridgeSeed),
  take: (input) => verifyMark(input, ids.bridgeId(marks.bridge)),
  codes: ['mark-malformed', 'mark-signature'],
})

/** As the dialer does: the signature, then what of it may reach the library. */
const descriptionTargets = signedTargets({
  name: 'description',
  file: 'description',
  samples: [hex(descriptions.encoded)],
  key: keyOf(descriptions.seed),
  take: (input) => verifyDescription(input, descriptions.expected),
  codes: ['malformed', 'unsupported-version', 'fingerprint-mismatch', 'clock-skew'],
})

const SDP = [
  'v=0',
  'o=rtc 1 0 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:0',
  'a=setup:active',
  'a=candidate:1 1 UDP 2114977791 127.0.0.1 43921 typ host',
  'a=candidate:2 1 UDP 2114977790 ::1 43922 typ host',
  'a=end-of-candidates',
]
const CANDIDATES_MAX = 16

const sdp = decoder(
  'session description, lines',
  ['src/rtc/sdp.ts'],
  {
    samples: [Buffer.from(`${SDP.join('\r\n')}\r\n`), Buffer.from(`${SDP.join('\n')}\n`)],
    spoil: (dice, samples) => {
      if (dice.roll(0, 1) === 0) return spoilBytes(dice, samples)
      const lines = dice.shuffle(SDP).slice(0, dice.roll(0, SDP.length))
      const more = Array.from({ length: dice.pick([0, 1, 30, 300]) }, () => dice.pick(lines) ?? '')
      return Buffer.from([...lines, ...more].map((line) => `${line}\r\n`).join(''))
    },
    take: (input) => {
      const clean = cleanSdp(input.toString('latin1'))
      const candidates = clean.split('\r\n').filter((line) => line.startsWith('a=candidate'))
      if (candidates.length > CANDIDATES_MAX) throw new Error(`${candidates.length} candidates`)
    },
    codes: ['malformed'],
  },
  ['signed description'],
)

const requestKey = keyOf(1)
const bridge = ids.bridgeId(keyOf(2).id)
const NOW_MS = 1_700_000_000_000
const NONCE = '0123456789abcdef'.repeat(2)

function signedHeaders(): Record<string, string> {
  const text = requestText({
    method: 'GET',
    path: '/v1/space',
    timeMs: NOW_MS,
    nonce: NONCE,
    bridge,
    bodyHash: sha256(''),
  })
  return {
    [HEADER.key]: requestKey.id,
    [HEADER.time]: String(NOW_MS),
    [HEADER.nonce]: NONCE,
    [HEADER.signature]: requestKey.sign(text).toString('hex'),
  }
}

/** One header at a time: the bytes are its value, as Node hands values over. */
const headerTargets = [HEADER.key, HEADER.time, HEADER.nonce, HEADER.signature].map((name) =>
  decoder(`request header ${name}`, ['src/permits/request-signature.ts', 'src/wire/signed-http.ts'], {
    samples: [Buffer.from(signedHeaders()[name] as string)],
    take: (input) => {
      const headers = { ...signedHeaders(), [name]: input.toString('latin1') }
      return verifyRequest(
        { method: 'GET', path: '/v1/space', headers, body: Buffer.alloc(0) },
        { bridge, nowMs: NOW_MS },
      )
    },
    codes: ['request-unsigned', 'request-signature', 'clock-skew'],
    taken: 'never',
  }),
)

const labelKey = secretOf(noiseBytes(5, 32))
const drive = ids.driveId('d'.repeat(32))
const NAME = 'holiday pictures, canary'

const label = decoder('drive label, changed', ['src/permits/drive-label.ts'], {
  samples: ['a', NAME].map((name) => sealDriveLabel(labelKey, drive, name, (size) => noiseBytes(6, size))),
  take: (input) => openDriveLabel(labelKey, drive, input),
  codes: ['seal-broken'],
  taken: 'never',
  secrets: [Buffer.from(NAME), noiseBytes(5, 32)],
})

/** Used by the bridge's client too: see bridge-client.ts. */
export const signedReplyOf = (body: Buffer, nonce: string, status = 200) =>
  signReply({ nonce, status, timeMs: NOW_MS, body }, keyOf(2))

export const permitTargets: readonly Target[] = [
  ...tokenTargets,
  ...receiptTargets,
  ...witnessTargets,
  ...auditTargets,
  ...markTargets,
  ...descriptionTargets,
  sdp,
  ...headerTargets,
  label,
]
