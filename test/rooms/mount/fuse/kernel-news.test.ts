import t from 'tap'
import { silentLog } from '../../../../src/base/log.js'
import { KernelNews } from '../../../../src/mount/fuse/kernel-news.js'
import { until } from '../../../support/named.js'

/** A kernel that takes a notification when it is let to. */
function slowKernel() {
  const told: string[] = []
  const waiting: (() => void)[] = []
  const state = { most: 0, fails: false }
  const take = (text: string) => {
    told.push(text)
    return new Promise<void>((resolve, reject) => {
      const fails = state.fails
      waiting.push(() => (fails ? reject(new Error('not taken')) : resolve()))
      state.most = Math.max(state.most, waiting.length)
    })
  }
  const port = {
    invalidateInode: (ino: number) => take(`inode ${ino}`),
    invalidateEntry: (parent: number, name: Buffer) => take(`name ${parent}/${name}`),
  }
  const letGo = () => {
    for (const go of waiting.splice(0)) go()
  }
  return { told, waiting, state, port, letGo }
}

const names = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ parent: 1, name: Buffer.from(`n${from + at}`) }))

t.test('a few notifications at a time, all of them in the end, each once while it waits', async (t) => {
  const kernel = slowKernel()
  const news = new KernelNews(kernel.port, silentLog)
  await news.tell({ inodes: [1, 2, 2], names: names(0, 200) })
  await news.tell({ inodes: [2, 3], names: names(100, 150) })
  while (news.waiting > 0 || kernel.waiting.length > 0) {
    kernel.letGo()
    await new Promise(setImmediate)
  }
  t.equal(kernel.state.most, 64)
  t.equal(new Set(kernel.told).size, 253)
  t.equal(kernel.told.length, 253, 'what waited already was not told twice')
})

t.test('who tells faster than the kernel takes waits for room; a failure holds up nobody', async (t) => {
  const kernel = slowKernel()
  const news = new KernelNews(kernel.port, silentLog, { waitingMax: 100 })
  let isRoom = false
  kernel.state.fails = true
  const told = news.tell({ inodes: [], names: names(0, 300) }).then(() => {
    isRoom = true
  })
  await until(() => kernel.waiting.length === 64)
  kernel.letGo()
  await until(() => kernel.waiting.length === 64)
  t.notOk(isRoom, `${news.waiting} wait`)
  kernel.state.fails = false
  while (!isRoom) {
    kernel.letGo()
    await new Promise(setImmediate)
  }
  await told
  t.ok(news.waiting <= 100)
  while (news.waiting > 0 || kernel.waiting.length > 0) {
    kernel.letGo()
    await new Promise(setImmediate)
  }
  t.equal(kernel.told.length, 300)
})
