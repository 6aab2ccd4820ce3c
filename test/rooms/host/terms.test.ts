/** An owner's hours in his own time, and the traffic of his month. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { silentLog } from '../../../src/base/log.js'
import { MonthMeter, type Traffic, UNSAVED_BYTES_MAX, UNSAVED_MS_MAX } from '../../../src/host/terms/month-meter.js'
import { isOpen, utcHours, windowAt } from '../../../src/host/terms/schedule.js'
import { Terms } from '../../../src/host/terms/terms.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { scratchDir } from '../../support/host-folder.js'

const MADRID = 'Europe/Madrid'
const NIGHT = { from: '22:30', to: '07:00' }
const HOUR_MS = 3_600_000

function at(text: string): number {
  return Date.parse(text)
}

t.test('hours are told in minutes of a UTC day, and change with daylight saving time', async (t) => {
  t.same(utcHours(NIGHT, MADRID, at('2027-01-15T12:00:00Z')), { fromMinute: 21 * 60 + 30, toMinute: 6 * 60 })
  t.same(utcHours(NIGHT, MADRID, at('2027-07-15T12:00:00Z')), { fromMinute: 20 * 60 + 30, toMinute: 5 * 60 })
  // The clocks go on an hour at 01:00 UTC of 28 March 2027: the window that lies over it begins in one time and ends in the other.
  t.same(utcHours(NIGHT, MADRID, at('2027-03-27T23:00:00Z')), { fromMinute: 21 * 60 + 30, toMinute: 5 * 60 })
  t.same(utcHours(NIGHT, MADRID, at('2027-10-30T23:00:00Z')), { fromMinute: 20 * 60 + 30, toMinute: 6 * 60 })
  const india = { from: '09:00', to: '17:30' }
  t.same(utcHours(india, 'Asia/Kolkata', at('2027-01-15T12:00:00Z')), { fromMinute: 3 * 60 + 30, toMinute: 12 * 60 })
})

t.test('a host is open from its first minute to its last, over midnight and over the change of time', async (t) => {
  const open = (text: string) => isOpen(NIGHT, MADRID, at(text))
  t.notOk(open('2027-01-15T21:29:59Z'))
  t.ok(open('2027-01-15T21:30:00Z'))
  t.ok(open('2027-01-16T05:59:59Z'))
  t.notOk(open('2027-01-16T06:00:00Z'))
  t.ok(open('2027-03-28T04:59:59Z'), 'until 7 in summer time')
  t.notOk(open('2027-03-28T05:00:00Z'))
  t.ok(isOpen(undefined, MADRID, 0), 'without hours always')
})

t.test('hours that the clocks skip or repeat come out in order, all through a year', async (t) => {
  for (const hours of [
    NIGHT,
    { from: '02:15', to: '02:45' },
    { from: '02:30', to: '12:00' },
    { from: '12:00', to: '02:30' },
  ]) {
    let wrong = 0
    for (let nowMs = at('2026-12-30T00:00:00Z'); nowMs < at('2027-12-30T00:00:00Z'); nowMs += 97 * 60_000) {
      const { fromMs, toMs } = windowAt(hours, MADRID, nowMs)
      if (!(toMs > nowMs && fromMs < toMs && fromMs - nowMs < 26 * HOUR_MS)) wrong++
    }
    // On the day that skips it there is no half past two; the next day's window is the next.
    t.ok(wrong === 0 || (hours.from === '02:15' && wrong < 20), `${hours.from}-${hours.to}: ${wrong}`)
  }
})

function meterOf(file: string, clock: DrivenClock, traffic: Traffic) {
  const parts = {
    file,
    traffic: () => ({ ...traffic }),
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    log: silentLog,
  }
  return new MonthMeter(parts, MADRID)
}

t.test("a month's traffic survives a restart, and a crash forgets no more than is promised", async (t) => {
  const file = path.join(scratchDir(t), 'traffic.json')
  const clock = new DrivenClock(at('2027-01-31T22:00:00Z'))
  const traffic = { sentBytes: 1_000, receivedBytes: 0 }
  const meter = meterOf(file, clock, traffic)
  t.same(meter.read(), { sentBytes: 0, receivedBytes: 0 }, 'what passed before it was made is not its own')
  traffic.sentBytes += 5_000_000
  t.same(meter.read(), { sentBytes: 5_000_000, receivedBytes: 0 })
  t.notOk(fs.existsSync(file), 'a crash now forgets 5 MB')
  await clock.advance(UNSAVED_MS_MAX)
  meter.read()
  t.same(meterOf(file, clock, { ...traffic }).read().sentBytes, 5_000_000, 'not so after ten seconds')
  traffic.receivedBytes += UNSAVED_BYTES_MAX
  meter.read()
  t.same(meterOf(file, clock, { ...traffic }).read().receivedBytes, UNSAVED_BYTES_MAX, 'nor after 256 MiB')
  await clock.advance(2 * HOUR_MS)
  t.same(meter.read(), { sentBytes: 0, receivedBytes: 0 }, 'February began at midnight in Madrid')
  t.same(meterOf(file, clock, { ...traffic }).read().sentBytes, 0, 'the file is of January')
})

t.test('a file of the month that cannot be read is set aside, and the month begins at zero', async (t) => {
  const file = path.join(scratchDir(t), 'traffic.json')
  fs.writeFileSync(file, '{"version":1,"month":"2027-01","sentBytes":-1}')
  const meter = meterOf(file, new DrivenClock(at('2027-01-15T00:00:00Z')), { sentBytes: 0, receivedBytes: 0 })
  t.same(meter.read(), { sentBytes: 0, receivedBytes: 0 })
  t.ok(fs.existsSync(`${file}.damaged`))
})

t.test('near its cap a host takes and serves no bulk, and keeps the last twentieth for repair', async (t) => {
  const clock = new DrivenClock(at('2027-01-15T00:00:00Z'))
  const traffic = { sentBytes: 0, receivedBytes: 0 }
  const meter = meterOf(path.join(scratchDir(t), 'traffic.json'), clock, traffic)
  const terms = new Terms({ meter, nowMs: () => clock.nowMs() }, { zone: MADRID, monthBytesMax: 10_000_000_000 })
  const codes = () =>
    [terms.refusalOfPut(), terms.refusalOfGet(false), terms.refusalOfGet(true)].map((one) => one?.code)
  traffic.sentBytes = 9_499_999_999
  t.same(codes(), [undefined, undefined, undefined])
  traffic.receivedBytes = 1
  t.same(codes(), ['traffic-cap', 'traffic-cap', undefined])
  t.equal(terms.refusalOfGet(false)?.retry, 'elsewhere')
  t.equal(terms.report().monthBytesLeft, 500_000_000)
  traffic.receivedBytes = 600_000_000
  t.same(codes(), ['traffic-cap', 'traffic-cap', 'traffic-cap'])
  t.equal(terms.report().monthBytesLeft, 0)
  terms.set({ zone: MADRID, monthBytesMax: 20_000_000_000 })
  t.same(codes(), [undefined, undefined, undefined], 'a cap that was raised holds at once')
  terms.set({ zone: MADRID, hours: NIGHT })
  await clock.advance(12 * HOUR_MS)
  t.same(codes(), ['out-of-hours', undefined, undefined], 'outside its hours it still gives what it holds')
  t.same(Object.keys(terms.report()), ['hours'])
})
