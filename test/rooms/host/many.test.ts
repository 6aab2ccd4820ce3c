import t from 'tap'
import { countersAgree, openStore, orderOf, readWhole, scratchDir } from '../../support/host-folder.js'

t.test(
  '8,000 small shards go in, come back after a restart and after a rebuild, and go',
  { timeout: 90_000 },
  async (t) => {
    const dir = scratchDir(t)
    const total = 8_000
    const startedMs = performance.now()
    let store = await openStore(dir)
    for (let first = 0; first < total; first += 500) {
      const orders = await Promise.all(Array.from({ length: 500 }, (_, i) => orderOf(first + i, 100 + (i % 900))))
      await Promise.all(orders.map(({ order, payload }) => store.put(order, payload)))
    }
    const putMs = performance.now() - startedMs
    t.equal(store.totals().shards, total)
    t.ok(countersAgree(store, dir))
    await store.stop()
    for (const inMemory of [false, true]) {
      const openedMs = performance.now()
      store = await openStore(dir, { inMemory })
      t.comment(`opened ${inMemory ? 'without' : 'with'} index in ${Math.round(performance.now() - openedMs)} ms`)
      t.equal(store.totals().shards, total)
      for (let number = 7; number < total; number += 997) {
        const { order, payload } = await orderOf(number, 100 + (number % 500))
        t.ok((await readWhole(store, order)).equals(payload))
      }
      await store.stop()
    }
    store = await openStore(dir)
    const orders = await Promise.all(Array.from({ length: 500 }, (_, i) => orderOf(i, 100 + (i % 900))))
    await Promise.all(orders.map(({ order }) => store.remove(order)))
    t.equal(store.totals().shards, total - 500)
    t.ok(countersAgree(store, dir))
    t.comment(`${Math.round(total / (putMs / 1000))} puts a second`)
    await store.stop()
  },
)
