import t from 'tap'
import { AppError } from '../../src/base/errors.js'

t.test('an error keeps its code', async (t) => {
  t.equal(typeof AppError, 'function')
  t.same({ a: 1 }, { a: 1 })
})
