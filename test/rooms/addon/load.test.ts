import t from 'tap'
import { codecAddon } from '../../../src/addon/codec.js'
import { loadAddon } from '../../../src/addon/load.js'
import { AppError } from '../../../src/base/errors.js'

t.test('an addon that was not built is an error that says what to do', async (t) => {
  try {
    loadAddon('no-such-addon')
    t.fail('it loaded')
  } catch (error) {
    t.ok(error instanceof AppError)
    t.match(error, { code: 'addon-missing', hint: 'run: npm run setup' })
  }
})

t.test('the codec is loaded once', async (t) => {
  t.equal(codecAddon(), codecAddon())
  t.equal(codecAddon().version, 1)
})
