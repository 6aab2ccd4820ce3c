import t from 'tap'
import { sha256 } from '../../../src/crypto/hash.js'
import { bridgeId } from '../../../src/model/ids.js'
import { nonceOf, type SignedRequest, signReply, verifyRequest } from '../../../src/permits/request-signature.js'
import { HEADER } from '../../../src/wire/api.js'
import { replyText, requestText } from '../../../src/wire/signed-http.js'
import { keyOf } from '../../support/secrets.js'

const key = keyOf(1)
const bridge = bridgeId(keyOf(2).id)
const nowMs = 1_700_000_000_000
const nonce = '0123456789abcdef0123456789abcdef'

function signedRequest(changes: Partial<{ timeMs: number; bridge: string; path: string }> = {}): SignedRequest {
  const body = Buffer.from('{"a":1}')
  const { timeMs = nowMs, path = '/v1/drives?from=3' } = changes
  const bodyHash = sha256(body)
  const text = requestText({ method: 'POST', path, timeMs, nonce, bridge: changes.bridge ?? bridge, bodyHash })
  const headers = {
    [HEADER.key]: key.id,
    [HEADER.time]: String(timeMs),
    [HEADER.nonce]: nonce,
    [HEADER.signature]: key.sign(text).toString('hex'),
  }
  return { method: 'POST', path, headers, body }
}

t.test('what is signed of a request and a reply is the text of the protocol', async (t) => {
  const bodyHash = sha256('')
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  t.equal(
    requestText({ method: 'GET', path: '/v1/space', timeMs: 5, nonce, bridge, bodyHash }).toString(),
    `shardrive/v1/request\nGET\n/v1/space\n5\n${nonce}\n${bridge}\n${empty}`,
  )
  t.equal(
    replyText({ nonce, status: 409, timeMs: 5, bodyHash }).toString(),
    `shardrive/v1/reply\n${nonce}\n409\n5\n${empty}`,
  )
})

t.test('a request is who signed it', async (t) => {
  t.same(verifyRequest(signedRequest(), { bridge, nowMs }), { key: key.id, nonce, timeMs: nowMs })
  t.ok(verifyRequest(signedRequest({ timeMs: nowMs - 300_000 }), { bridge, nowMs }))
})

t.test('a request that was changed on its way, or was meant for another bridge, is refused', async (t) => {
  const request = signedRequest()
  const changed: SignedRequest[] = [
    { ...request, method: 'GET' },
    { ...request, path: '/v1/drives?from=4' },
    { ...request, body: Buffer.from('{"a":2}') },
    { ...request, headers: { ...request.headers, [HEADER.nonce]: 'f'.repeat(32) } },
    { ...request, headers: { ...request.headers, [HEADER.time]: String(nowMs + 1) } },
    { ...request, headers: { ...request.headers, [HEADER.key]: keyOf(3).id } },
    signedRequest({ bridge: keyOf(4).id }),
  ]
  for (const one of changed) t.throws(() => verifyRequest(one, { bridge, nowMs }), { code: 'request-signature' })
})

t.test('a clock that is off by more than five minutes is told by how much', async (t) => {
  const early = signedRequest({ timeMs: nowMs - 7_200_000 })
  t.throws(() => verifyRequest(early, { bridge, nowMs }), { code: 'clock-skew', details: { offsetMs: 7_200_000 } })
  const late = signedRequest({ timeMs: nowMs + 300_001 })
  t.throws(() => verifyRequest(late, { bridge, nowMs }), { code: 'clock-skew', details: { offsetMs: -300_001 } })
})

t.test('missing, doubled and misshapen headers are request-unsigned, whatever they hold', async (t) => {
  const request = signedRequest()
  const names = [HEADER.key, HEADER.time, HEADER.nonce, HEADER.signature]
  for (const name of names) {
    for (const value of [
      undefined,
      '',
      [request.headers[name] as string, 'x'],
      '1e3',
      '-5',
      `${request.headers[name]} `,
    ]) {
      const headers = { ...request.headers, [name]: value }
      t.throws(() => verifyRequest({ ...request, headers }, { bridge, nowMs }), { code: 'request-unsigned' })
    }
  }
})

t.test('a reply is signed only over a proper nonce', async (t) => {
  t.equal(nonceOf({ [HEADER.nonce]: nonce }), nonce)
  for (const value of [undefined, 'short', nonce.toUpperCase(), [nonce, nonce]]) {
    t.equal(nonceOf({ [HEADER.nonce]: value }), null)
  }
  const headers = signReply({ nonce, status: 200, timeMs: nowMs + 0.4, body: Buffer.from('x') }, key)
  t.equal(headers[HEADER.bridgeTime], String(nowMs))
  t.match(headers[HEADER.reply], /^[0-9a-f]{128}$/)
})
