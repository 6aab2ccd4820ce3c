import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
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

t.test('while one is made no other is wanted; when it was not made, the next cut tries again', async (t) => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const ledger = {
    putMeta: async () => undefined,
    progress: () => ({ pendingEpochs: 0 }),
    async *exportSnapshot() {
      await gate
      yield Buffer.alloc(1)
      throw new AppError('no-space', 'full')
    },
    releaseView: async () => undefined,
    forgetPendingSegments: async () => undefined,
  }
  const scheme = async () => ({ dataShards: 2, totalShards: 4 })
  const snapshotter = new Snapshotter({ ledger, scheme, log: silentLog } as never, 1_000)
  const { signal } = new AbortController()
  await snapshotter.published(1, 1_000, signal)
  t.ok(snapshotter.wantsView())
  snapshotter.noteCut({ epoch: 2, logSequence: 2, stagedRows: [] } as never, true)
  t.notOk(snapshotter.wantsView(), 'one is wanted already')
  const made = snapshotter.published(2, 10, signal)
  t.notOk(snapshotter.wantsView(), 'one is made')
  open()
  await made
  t.ok(snapshotter.wantsView())
})
