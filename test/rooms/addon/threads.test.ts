import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'

const codecUrl = new URL('../../../src/addon/codec.js', import.meta.url).href

/** Starts work in another thread and says so while it still runs. */
const busy = `
  import(${JSON.stringify(codecUrl)}).then(({ codecAddon }) => {
    const codec = codecAddon()
    const [key, plain] = [Buffer.alloc(32), Buffer.alloc(3_000_000)]
    const settled = Array.from({ length: 6 }, () => [
      codec.sealSegment(key, plain, 3_014_656, 4, 8),
      codec.rebuildUnits(1, 2, [0], [plain.subarray(0, 1_000_000)], [1]),
      codec.openRange(key, key, 0, plain.subarray(0), false),
    ]).flat()
    const { parentPort } = require('node:worker_threads')
    parentPort.postMessage('started')
    Promise.all(settled).then(() => parentPort.postMessage('ended'))
  })
`

t.test('a thread that is ended in the middle of its work harms nobody and keeps no memory', async (t) => {
  const before = process.memoryUsage().rss
  for (let i = 0; i < 12; i++) {
    const worker = new Worker(busy, { eval: true })
    t.same(await once(worker, 'message'), ['started'])
    await worker.terminate()
  }
  const grown = process.memoryUsage().rss - before
  t.ok(grown < 200e6, `resident memory grew by ${Math.round(grown / 1e6)} MB; the work made 400 MB`)
})

t.test('several threads work at once', async (t) => {
  const workers = Array.from({ length: 3 }, () => new Worker(busy, { eval: true }))
  const ends = workers.map(async (worker) => {
    await once(worker, 'message')
    return (await once(worker, 'message'))[0]
  })
  t.same(await Promise.all(ends), ['ended', 'ended', 'ended'])
  await Promise.all(workers.map((worker) => worker.terminate()))
})
