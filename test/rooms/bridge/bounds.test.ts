import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { NonceTable } from '../../../src/bridge/api/nonces.js'
import { replyForError, statusOf } from '../../../src/bridge/api/status.js'
import { checkConfig } from '../../../src/bridge/config.js'
import { Rates } from '../../../src/bridge/rates.js'
import { BRIDGE_CODES } from '../../../src/wire/bridge-codes.js'

const KEY = 'ab'.repeat(32)

t.test('a nonce is taken once for at least a whole window, and forgotten after two', async (t) => {
  const table = new NonceTable(1_000)
  table.use(KEY, 'n1', 0)
  t.throws(() => table.use(KEY, 'n1', 999), { code: 'replayed' })
  table.use(KEY, 'n2', 999)
  t.throws(() => table.use(KEY, 'n2', 1_998), { code: 'replayed' })
  table.use('cd'.repeat(32), 'n2', 1_998)
  table.use(KEY, 'n2', 5_000)
  t.equal(table.size, 1)
})

t.test('a full table refuses rather than forgets', async (t) => {
  const table = new NonceTable(1_000, 3)
  for (const nonce of ['a', 'b', 'c']) table.use(KEY, nonce, 0)
  t.throws(() => table.use(KEY, 'd', 10), { code: 'busy' })
  t.throws(() => table.use(KEY, 'a', 10), { code: 'replayed' })
})

t.test('a bucket gives its burst, then its rate, each name for itself', async (t) => {
  const rates = new Rates({ perSecond: 10, burst: 3 })
  t.same(
    [1, 2, 3, 4].map(() => rates.allows('a', 0)),
    [true, true, true, false],
  )
  t.ok(rates.allows('b', 0))
  t.ok(rates.allows('a', 100))
  t.notOk(rates.allows('a', 100))
  t.throws(() => rates.spend('a', 100), { code: 'rate-limited' })
})

t.test('every code has a status; what has none crosses as internal, without its text', async (t) => {
  for (const code of BRIDGE_CODES) t.ok(statusOf(code) >= 400 && statusOf(code) < 600, code)
  t.match(replyForError(new AppError('head-moved', 'text', { details: { sequence: 4 } })), {
    status: 409,
    body: { error: { code: 'head-moved', message: 'text', details: { sequence: 4 } } },
  })
  for (const error of [new AppError('addon-missing', '/secret/path'), new TypeError('secret'), 'secret']) {
    const { status, body, known } = replyForError(error)
    t.same([status, body.error.code, known], [500, 'internal', false])
    t.notMatch(JSON.stringify(body), /secret/)
  }
})

t.test('where a bridge listens', async (t) => {
  const config = (listen: string, policy: 'single-machine' | 'standard' = 'standard') =>
    checkConfig({ listen, policy, scheme: { dataShards: 4, totalShards: 8 } })
  t.same(config('0.0.0.0:7400'), { host: '0.0.0.0', port: 7400 })
  t.same(config('[::1]:0', 'single-machine'), { host: '::1', port: 0 })
  t.same(config('127.0.0.1:1', 'single-machine'), { host: '127.0.0.1', port: 1 })
  for (const listen of ['0.0.0.0:1', '[::]:1', '192.168.1.2:80']) {
    t.throws(() => config(listen, 'single-machine'), { code: 'policy-public' }, listen)
  }
  for (const listen of ['', 'x', '1.2.3.4', '1.2.3.4:70000', '[1.2.3.4]:1', 'example.com:1', ':1']) {
    t.throws(() => config(listen), { code: 'bad-listen' }, listen)
  }
  const scheme = { dataShards: 9, totalShards: 8 }
  t.throws(() => checkConfig({ listen: '127.0.0.1:0', policy: 'standard', scheme }), { code: 'bad-scheme' })
})
