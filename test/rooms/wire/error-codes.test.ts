import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { decodeError, encodeError, WIRE_CODES, wireNumberOf } from '../../../src/wire/error-codes.js'
import { Dice, testSeed } from '../../support/dice.js'

const seed = testSeed()
t.comment(`SEED=${seed}`)

t.test("every code crosses with its retry and its text, and is marked as the other side's", async (t) => {
  for (const code of WIRE_CODES) {
    for (const retry of ['never', 'later', 'elsewhere'] as const) {
      const { number, head } = encodeError(new AppError(code, 'what happened', { retry }))
      if (code === 'internal') continue
      const { details, ...error } = decodeError(number, head)
      t.match({ ...error, details }, { code, retry, details: { remote: true } })
    }
  }
  t.equal(new Set(WIRE_CODES.map(wireNumberOf)).size, WIRE_CODES.length, 'no number is used twice')
})

t.test('what is not meant for peers crosses as internal, without its text', async (t) => {
  for (const error of [new Error('secret'), new AppError('wrong-passphrase', 'secret'), 'secret', undefined]) {
    const { number, head } = encodeError(error)
    t.equal(number, wireNumberOf('internal'))
    t.notOk(head.includes('secret'))
  }
})

t.test('2,000 hostile errors are errors: short, printable, with a code', async (t) => {
  const dice = new Dice(seed)
  const strange: unknown[] = []
  for (let i = 0; i < 2_000; i++) {
    const error = decodeError(dice.roll(0, 65_535), dice.bytes(dice.pick([0, 1, 2, 40, 4_096])))
    const printable = !/[\u0000-\u001f\u007f-\u009f]/.test(error.message)
    if (!(error instanceof AppError) || !printable || error.message.length > 600) strange.push(error)
  }
  t.same(strange, [])
  t.equal(decodeError(999, Buffer.from([2, 0x68, 0x69])).code, 'peer-error')
})

t.test('long texts are cut', async (t) => {
  const { head } = encodeError(new AppError('host-full', 'ä'.repeat(10_000)))
  t.ok(head.length <= 513)
})

/** Rooms whose errors a requester may see, and codes of theirs that never leave the host. */
const ANSWERING = ['src/host/endpoint', 'src/host/shards', 'src/permits/token.ts', 'src/permits/witness.ts']
const AT_HOME = ['host-folder-wrong']

t.test('every code that a host can answer with has a number', async (t) => {
  const files = ANSWERING.flatMap((name) =>
    fs.statSync(name).isFile() ? [name] : fs.readdirSync(name).map((file) => path.join(name, file)),
  )
  const thrown = new Set<string>()
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    for (const [, code] of fs.readFileSync(file, 'utf8').matchAll(/(?:AppError|failAs)\(\s*'([a-z]+(?:-[a-z]+)*)'/g)) {
      thrown.add(code as string)
    }
  }
  const known: string[] = [...WIRE_CODES, ...AT_HOME]
  t.same(
    [...thrown].filter((code) => !known.includes(code)),
    [],
    'give it a number in src/wire/error-codes.ts',
  )
})
