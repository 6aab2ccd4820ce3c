import t from 'tap'
import { isServing, isTaking, servingShare, trustOf } from '../../../src/bridge/hosts/standing.js'
import type { HostRow } from '../../../src/bridge/persist/host-rows.js'
import { hostId } from '../../../src/model/ids.js'

const at = (hour: number, minute = 0) => Date.UTC(2026, 5, 1, hour, minute)
const host: HostRow & { online: boolean } = {
  row: 1,
  host: hostId(Buffer.alloc(32, 1)),
  operator: null,
  subnet: '203.0.113.0/24',
  capacityBytes: 1,
  usedBytes: 0,
  freeBytes: 1,
  seenAt: 0,
  facts: { usedBytes: 0, freeBytes: 1, capacityBytes: 1 },
  state: 'good',
  vettedAt: null,
  leavingAt: null,
  leftAt: null,
  online: true,
}

t.test('hours over midnight serve in the night', async (t) => {
  const night = { fromMinute: 22 * 60, toMinute: 7 * 60 }
  t.same(
    [21, 22, 23, 0, 6, 7, 12].map((hour) => isServing(night, at(hour))),
    [false, true, true, true, true, false, false],
  )
  t.equal(servingShare(night), 9 / 24)
  const day = { fromMinute: 7 * 60, toMinute: 22 * 60 + 30 }
  t.same(
    [6, 7, 22].map((hour) => isServing(day, at(hour, 29))),
    [false, true, true],
  )
  t.equal(isServing(day, at(22, 30)), false)
  t.equal(isServing({ fromMinute: 5, toMinute: 5 }, at(3)), true)
  t.equal(servingShare(undefined), 1)
})

t.test('new shards go only to hosts that are there, trusted, staying, within their hours and willing', async (t) => {
  const facts = { usedBytes: 0, freeBytes: 1, capacityBytes: 1 }
  t.ok(isTaking(host, at(12)))
  t.ok(isTaking({ ...host, state: 'watch', facts: null }, at(12)))
  t.notOk(isTaking({ ...host, online: false }, at(12)))
  for (const state of ['suspended', 'review', 'removed'] as const) t.notOk(isTaking({ ...host, state }, at(12)))
  t.notOk(isTaking({ ...host, leavingAt: 1 }, at(12)))
  t.notOk(isTaking({ ...host, facts: { ...facts, refuses: 'host-full' } }, at(12)))
  t.notOk(isTaking({ ...host, facts: { ...facts, hours: { fromMinute: 0, toMinute: 60 } } }, at(12)))
})

t.test('what lies on a suspended host is kept, on a removed one or one that left it is gone', async (t) => {
  t.same(
    ['good', 'watch', 'suspended', 'review', 'removed'].map((state) => trustOf({ state, leftAt: null } as HostRow)),
    ['full', 'full', 'kept', 'kept', 'none'],
  )
  t.equal(trustOf({ state: 'good', leftAt: 5 }), 'none')
})
