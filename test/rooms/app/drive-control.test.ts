import t from 'tap'
import { type ControlParts, controlMethods } from '../../../src/app/drive-control.js'
import { AppError } from '../../../src/base/errors.js'

const CALL = { params: {}, signal: new AbortController().signal, progress: () => {} }

/** A drive that is busy for so many looks; `sync`: what its ledger says. */
function driveOf(busyFor: number, sync: () => Promise<void> = async () => {}) {
  const seen = { looks: 0, ended: false }
  const parts = {
    mountPoint: '/somewhere',
    stateDir: '/state',
    pins: {},
    storage: { ledger: { sync } },
    clock: { sleep: async () => true },
    unmountIfIdle: async () => ++seen.looks > busyFor,
    endDrive: async () => {
      seen.ended = true
      return 7
    },
  }
  const { unmount } = controlMethods(parts as unknown as ControlParts)
  return { seen, unmount: (params = {}) => unmount?.({ ...CALL, params }) as Promise<object> }
}

t.test('who only looks into a mount for a moment is not in the way of its end; who stays is', async (t) => {
  const passing = driveOf(3)
  t.same(await passing.unmount(), { localBytes: 7 })
  t.equal(passing.seen.looks, 4)
  const busy = driveOf(Number.POSITIVE_INFINITY)
  await t.rejects(busy.unmount(), { code: 'mountpoint-busy', hint: /--force/ })
  t.notOk(busy.seen.ended)
  t.same(await busy.unmount({ force: true }), { localBytes: 7 })
})

t.test('S-15 a drive with changes that are only in memory is not unmounted, unless it must be', async (t) => {
  const full = async () => {
    throw new AppError('no-space', 'the disk is full')
  }
  const drive = driveOf(0, full)
  await t.rejects(drive.unmount(), { code: 'no-space', message: /\/state is full/, hint: /free some disk space/ })
  t.same(drive.seen, { looks: 0, ended: false })
  t.same(await drive.unmount({ force: true }), { localBytes: 7 })
  const damaged = driveOf(0, async () => {
    throw new AppError('database-damaged', 'the local ledger is damaged')
  })
  t.same(await damaged.unmount(), { localBytes: 7 }, 'whatever else is wrong keeps nobody here')
})
