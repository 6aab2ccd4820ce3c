/** S-15: a drive that is ended on a full disk waits for room, and says what it gives up. */
import t from 'tap'
import { stopWithRoom } from '../../../src/app/drive-end.js'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import { DrivenClock } from '../../support/driven-clock.js'

/** A drive whose disk has room after so many tries. */
function ending(fullFor: number, code = 'no-space') {
  const clock = new DrivenClock()
  const seen = { tries: 0 }
  const stop = async () => {
    if (++seen.tries <= fullFor) throw new AppError(code, 'the disk is full (SQLITE_FULL)')
  }
  const ended = stopWithRoom({ stop }, { clock, log: silentLog }).then(
    () => null,
    (error: unknown) => error,
  )
  return { clock, seen, ended }
}

t.test('S-15 it ends when there is room again', async (t) => {
  const { clock, seen, ended } = ending(3)
  await clock.advance(1_600)
  t.equal(await ended, null)
  t.equal(seen.tries, 4)
})

t.test('S-15 what finds no room in 40 s is given up, and said to be lost', async (t) => {
  const { clock, ended } = ending(Number.POSITIVE_INFINITY)
  await clock.advance(39_000)
  t.equal(await Promise.race([ended, 'it waits']), 'it waits')
  await clock.advance(1_600)
  t.match(await ended, { code: 'no-space', message: /only in memory, are lost/, cause: { message: /SQLITE_FULL/ } })
})

t.test('whatever else is wrong is not waited for', async (t) => {
  const { ended } = ending(1, 'database-damaged')
  t.match(await ended, { code: 'database-damaged' })
})
