import t from 'tap'
import { circuitUntil, type Presence, presenceOf } from '../../../src/bridge/hosts/presence.js'
import type { HostRow } from '../../../src/bridge/persist/host-rows.js'
import { hostId } from '../../../src/model/ids.js'

const HOUR_MS = 3_600_000
const noon = Date.UTC(2026, 5, 1, 12)
const options = { awayMs: 4 * HOUR_MS, startedAtMs: 0 }

function host(changes: Partial<HostRow & { online: boolean }> = {}): HostRow & { online: boolean } {
  return {
    ...{ row: 1, host: hostId(Buffer.alloc(32, 1)), operator: null, subnet: '203.0.113.0/24', online: false },
    ...{ capacityBytes: 1, usedBytes: 0, freeBytes: 1, seenAt: noon, facts: null, state: 'good' as const },
    ...{ vettedAt: null, leavingAt: null, leftAt: null },
    ...changes,
  }
}

t.test('a host is away after four hours, not before, and not while the bridge itself was away', async (t) => {
  t.equal(presenceOf(host(), noon + 4 * HOUR_MS - 1, options), 'good')
  t.equal(presenceOf(host(), noon + 4 * HOUR_MS, options), 'away')
  t.equal(presenceOf(host({ online: true, seenAt: 0 }), noon, options), 'good')
  const restarted = { ...options, startedAtMs: noon + 10 * HOUR_MS }
  t.equal(presenceOf(host(), noon + 12 * HOUR_MS, restarted), 'good')
  t.equal(
    presenceOf(host(), noon + 12 * HOUR_MS, { ...restarted, before: 'away' }),
    'away',
    'it was before the restart',
  )
  t.equal(presenceOf(host({ online: true }), noon, { ...options, before: 'away' }), 'good', 'and is back')
})

t.test('off by its own hours is not away; a whole day of them missed is', async (t) => {
  const nights = (fromHour: number, toHour: number) => ({
    ...{ usedBytes: 0, freeBytes: 1, capacityBytes: 1 },
    hours: { fromMinute: fromHour * 60, toMinute: toHour * 60 },
  })
  const long = host({ facts: nights(0, 12) })
  t.equal(presenceOf(long, noon + 12 * HOUR_MS, options), 'good')
  t.equal(presenceOf(long, noon + 15 * HOUR_MS, options), 'good')
  t.equal(presenceOf(long, noon + 16 * HOUR_MS, options), 'away', 'four of its hours')
  const short = host({ facts: nights(2, 3) })
  t.equal(presenceOf(short, noon + 14 * HOUR_MS, options), 'good')
  t.equal(presenceOf(short, noon + 15 * HOUR_MS, options), 'away', 'its one hour')
  t.equal(presenceOf(short, noon + 400 * HOUR_MS, options), 'away')
})

t.test('suspended is a risk, leaving is leaving, removed and left are gone', async (t) => {
  const there = { online: true }
  for (const state of ['suspended', 'review'] as const)
    t.equal(presenceOf(host({ ...there, state }), noon, options), 'risk')
  t.equal(presenceOf(host({ ...there, state: 'watch' }), noon, options), 'good')
  t.equal(presenceOf(host({ ...there, leavingAt: 1 }), noon, options), 'leaving')
  t.equal(presenceOf(host({ ...there, state: 'removed' }), noon, options), 'gone')
  t.equal(presenceOf(host({ leavingAt: 1, leftAt: 2 }), noon, options), 'gone')
})

t.test('the circuit opens when more than a third vanish within minutes, and closes by itself', async (t) => {
  const awayMs = 4 * HOUR_MS
  const away = (seenAt: number) => ({ host: host({ seenAt }), presence: 'away' as Presence })
  const good = (count: number) => Array.from({ length: count }, () => ({ host: host(), presence: 'good' as Presence }))
  const now = noon + awayMs
  const together = [away(noon), away(noon + 60_000), away(noon + 500_000)]
  t.equal(circuitUntil([...together, ...good(6)], now, awayMs), null, 'a third is not more than a third')
  t.equal(circuitUntil([...together, ...good(5)], now, awayMs), noon + 500_000 + 2 * awayMs)
  t.equal(circuitUntil([...together, ...good(5)], noon + 500_000 + 2 * awayMs, awayMs), null)
  const apart = [away(noon), away(noon - HOUR_MS), away(noon - 2 * HOUR_MS)]
  t.equal(circuitUntil([...apart, ...good(5)], now, awayMs), null, 'one after another is churn')
})
