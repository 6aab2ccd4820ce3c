import t from 'tap'
import * as ids from '../../../src/model/ids.js'
import {
  decodeToken,
  signToken,
  TOKEN_BYTES,
  type TokenAction,
  type TokenExpectation,
  type TokenFields,
  verifyToken,
} from '../../../src/permits/token.js'
import { keyOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'

interface Golden {
  bridgeSeed: string
  fields: Omit<TokenFields, 'action' | 'bytes' | 'target'>
  target: NonNullable<TokenFields['target']>
  put: { bytes: number; encoded: string }
  get: { bytes: number; encoded: string }
  delete: { bytes: number; encoded: string }
  expected: TokenExpectation
  broken: { name: string; encoded: string; code: string; expected?: TokenExpectation }[]
  tolerated: number[]
}
const golden = readVectors<Golden>('token/token')
const bridgeKey = keyOf(golden.bridgeSeed)

for (const action of ['put', 'get', 'delete'] as TokenAction[]) {
  t.test(`a golden ${action} token is signed, decoded and verified to the byte`, async (t) => {
    const { bytes, encoded } = golden[action]
    const fields: TokenFields = { ...golden.fields, action, bytes, target: action === 'get' ? null : golden.target }
    t.equal(signToken(fields, bridgeKey).toString('hex'), encoded)
    t.same(decodeToken(hex(encoded)), fields)
    t.same(verifyToken(hex(encoded), { ...golden.expected, action }), fields)
    t.equal(hex(encoded).length, TOKEN_BYTES)
  })
}

for (const { name, encoded, code, expected } of golden.broken) {
  t.test(`refused with ${code}: ${name}`, async (t) => {
    t.throws(() => verifyToken(hex(encoded), expected ?? golden.expected), { code })
  })
}

t.test('clocks may differ by five minutes at either end, or by what the caller says', async (t) => {
  const encoded = hex(golden.put.encoded)
  for (const nowMs of golden.tolerated) t.ok(verifyToken(encoded, { ...golden.expected, nowMs }), String(nowMs))
  const late = { ...golden.expected, nowMs: golden.fields.notAfterMs + 1, skewMs: 0 }
  t.throws(() => verifyToken(encoded, late), { code: 'token-expired' })
})

t.test('a token for host A is of no use at host B, and a stolen one of no use to the thief', async (t) => {
  const encoded = hex(golden.get.encoded)
  const at = (changes: Partial<TokenExpectation>) => () =>
    verifyToken(encoded, { ...golden.expected, action: 'get', ...changes })
  t.throws(at({ host: ids.hostId(keyOf(8).id) }), { code: 'token-other-host' })
  t.throws(at({ holder: ids.deviceId(keyOf(9).id) }), { code: 'token-other-holder' })
  t.throws(at({ bridge: ids.bridgeId(keyOf(10).id) }), { code: 'token-other-bridge' })
  t.throws(at({ action: 'delete' }), { code: 'token-action' })
})
