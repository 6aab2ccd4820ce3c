import t from 'tap'
import { silentLog } from '../../../../src/base/log.js'
import { Snapshotter } from '../../../../src/mount/sync/snapshotter.js'

t.test('a counter that no log can have counts from nothing, and goes on', async (t) => {
  const rows = new Map<string, Buffer | null>()
  const ledger = {
    getMeta: async () => Buffer.alloc(8, 0xff),
    putMeta: async (entries: Record<string, Buffer | null>) => {
      for (const [key, value] of Object.entries(entries)) rows.set(key, value)
    },
  }
  const snapshotter = new Snapshotter({ ledger, log: silentLog } as never, 1_000)
  await snapshotter.load()
  t.notOk(snapshotter.wantsView())
  await snapshotter.published(1, 900, new AbortController().signal)
  t.same(
    [...rows.values()].map((value) => value?.readBigUInt64BE()),
    [900n],
  )
})
