/** What another device changed, told to the kernel. */
import t from 'tap'
import { tellKernel } from '../../../src/app/drive-files.js'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'

t.test('the kernel hears of every change, also behind one that it does not take', async (t) => {
  const told: (number | string)[] = []
  const take = (what: number | string) => {
    told.push(what)
    return what === 2 || what === 'b' ? Promise.reject(new AppError('busy', 'refused')) : Promise.resolve()
  }
  const door = {
    invalidateInode: (ino: number) => take(ino),
    invalidateEntry: (_: number, name: Buffer) => take(name.toString()),
  }
  const names = ['a', 'b', 'c'].map((name) => ({ parent: 1, name: Buffer.from(name) }))
  await tellKernel({ inodes: [1, 2, 3], names }, door, silentLog)
  t.same(told, [1, 2, 3, 'a', 'b', 'c'])
})
