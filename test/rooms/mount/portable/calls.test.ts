/** Every operation is answered once, whatever happens behind it. */
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { silentLog } from '../../../../src/base/log.js'
import { ERRNO } from '../../../../src/mount/fuse/errno.js'
import { Calls, type Operation, type Words } from '../../../../src/mount/portable/calls.js'

const THREAD = Buffer.alloc(1)
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function open(options: { limitMs?: number; gate?: () => Promise<void> | undefined } = {}) {
  const calls = new Calls({ log: silentLog, gate: options.gate ?? (() => undefined) }, options)
  const said: Words[] = []
  const ask = (operation: Operation<[]>) =>
    calls.serve('getattr', operation, THREAD, (...words) => said.push(words), [])
  return { calls, said, ask }
}

t.test('at once, later, refused, or failed by a bug: each is one answer', async (t) => {
  const { said, ask } = open()
  ask({ answer: () => [0, 'now'] })
  t.same(said, [[0, 'now']], 'without a turn of the loop')
  ask({ answer: async () => [0, 'later'] })
  ask({ answer: () => Promise.reject(new AppError('not-empty', '')), failure: (result) => [result, 'with more'] })
  ask({
    answer: () => {
      throw new TypeError('a bug')
    },
  })
  await sleep(1)
  t.same(said.slice(1), [[-ERRNO.EIO], [0, 'later'], [-ERRNO.ENOTEMPTY, 'with more']])
})

t.test('what takes too long is answered for, told so, and its own answer dropped', async (t) => {
  const { said, ask } = open({ limitMs: 20 })
  let reason: unknown
  let wasOver = false
  ask({
    answer: async (one) => {
      await new Promise<void>((resolve) => one.signal.addEventListener('abort', () => resolve()))
      reason = one.signal.reason
      wasOver = one.isOver
      return [0]
    },
  })
  await sleep(60)
  t.same(said, [[-ERRNO.EIO]])
  t.match(reason, { code: 'interrupted' })
  t.equal(wasOver, true)
})

t.test('at the end whatever waits is answered, and whatever comes is not served', async (t) => {
  const { calls, said, ask } = open()
  let aborted = false
  ask({
    answer: (one) => {
      one.signal.addEventListener('abort', () => {
        aborted = true
      })
      return new Promise(() => undefined)
    },
  })
  calls.close()
  ask({ answer: () => t.fail('served after the end') as never })
  t.same(said, [[-ERRNO.ENOTCONN], [-ERRNO.ENOTCONN]])
  t.equal(aborted, true)
})

t.test('an operation waits for as long as there is something to wait for', async (t) => {
  let waits = 3
  const { said, ask } = open({ gate: () => (waits-- > 0 ? sleep(1) : undefined) })
  ask({ answer: () => [waits] })
  t.same(said, [])
  await sleep(30)
  t.same(said, [[-1]])
})
