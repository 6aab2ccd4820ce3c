import t from 'tap'
import { printable, reportOf, Terminal } from '../../../src/app/terminal.js'
import { AppError } from '../../../src/base/errors.js'

function recorded(json: boolean): { terminal: Terminal; out: () => string; err: () => string } {
  let out = ''
  let err = ''
  const parts = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) } }
  return { terminal: new Terminal(parts, { json }), out: () => out, err: () => err }
}

t.test('people get the words, scripts get exactly one object', async (t) => {
  const human = recorded(false)
  human.terminal.say('looking')
  human.terminal.result({ a: 1 }, ['one', 'two'])
  t.equal(human.out(), 'looking\none\ntwo\n')

  const script = recorded(true)
  script.terminal.say('looking')
  const progress = await script.terminal.progress('sync', 10)
  progress.update(5)
  progress.stop()
  script.terminal.result({ a: 1 }, 'one')
  t.equal(script.out(), '{"a":1}\n')
  t.equal(script.err(), '')
})

t.test('a watch shows what changed, and nothing while it stays the same', async (t) => {
  const human = recorded(false)
  for (const line of ['one', 'one', 'two']) human.terminal.show({ line }, [line, '\u001b[2Jnot from here'])
  t.equal(human.out(), 'one\n\\u001b[2Jnot from here\n\ntwo\n\\u001b[2Jnot from here\n')
  const script = recorded(true)
  for (const line of ['one', 'one', 'two']) script.terminal.show({ line }, [line])
  t.equal(script.out(), '{"line":"one"}\n{"line":"two"}\n')
})

t.test('an expected failure says what happened, why, and what to do', async (t) => {
  const cause = new Error('connect ECONNREFUSED', { cause: new Error('deeper') })
  const error = new AppError('bridge-unreachable', 'the bridge cannot be reached', {
    cause,
    hint: 'start it',
    retry: 'later',
  })
  const human = recorded(false)
  t.equal(human.terminal.fail(error), 3)
  t.equal(human.out(), '')
  t.equal(
    human.err(),
    'error: the bridge cannot be reached [bridge-unreachable]\n  why: connect ECONNREFUSED; deeper\n  what to do: start it\n',
  )

  const script = recorded(true)
  t.equal(script.terminal.fail(error), 3)
  t.same(JSON.parse(script.out()), {
    error: {
      code: 'bridge-unreachable',
      message: 'the bridge cannot be reached',
      exitCode: 3,
      retry: 'later',
      why: 'connect ECONNREFUSED; deeper',
      hint: 'start it',
    },
  })
})

t.test('a cause that repeats the message is not said twice, and causes that never end are cut', async (t) => {
  t.equal(reportOf(new AppError('usage', 'no: refused', { cause: new Error('refused') })).why, undefined)
  const endless = new Error('round')
  endless.cause = endless
  t.equal(reportOf(new AppError('usage', 'no', { cause: endless })).why, 'round')
})

t.test('what nobody foresaw is a bug: exit code 1, with the stack on stderr', async (t) => {
  for (const thrown of [new TypeError('boom'), 'boom']) {
    const script = recorded(true)
    t.equal(script.terminal.fail(thrown), 1)
    t.equal(JSON.parse(script.out()).error.code, 'bug')
    t.match(script.err(), /boom/)
  }
})

t.test('a hostile text cannot move the cursor, ring or turn the writing direction', async (t) => {
  t.equal(
    printable('a\u001b[2Jb\u0007\u009bc\u202ed\u2066e\tf\ng\r'),
    'a\\u001b[2Jb\\u0007\\u009bc\\u202ed\\u2066e\tf\ng\\u000d',
  )
  const human = recorded(false)
  human.terminal.fail(new AppError('peer-error', 'peer says \u001b]0;owned\u0007'))
  t.notMatch(human.err(), /\u001b|\u0007/)
})

t.test('progress writes no more than a line now and then where nobody watches', async (t) => {
  const human = recorded(false)
  const progress = await human.terminal.progress('sync', 1000)
  for (let done = 0; done < 1000; done++) progress.update(done)
  progress.stop()
  t.equal(human.err(), '')
})
