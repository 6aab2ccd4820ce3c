/** What a host tells its bridge: everything, at once when something changed, and losses until the bridge has taken them. */
import t from 'tap'
import { AppError } from '../../../src/base/errors.js'
import { silentLog } from '../../../src/base/log.js'
import type { Loss } from '../../../src/host/ledger/types.js'
import { Losses } from '../../../src/host/losses.js'
import { Reporter } from '../../../src/host/reporter.js'
import { hostId, pseudonymId, segmentId, shardId } from '../../../src/model/ids.js'
import { checkValue } from '../../../src/wire/check.js'
import { HostReport, LossesRequest } from '../../../src/wire/host-api.js'
import { DrivenClock } from '../../support/driven-clock.js'
import { fixed } from '../../support/host-folder.js'

const HOST = hostId('ab'.repeat(32))
const REPORT: HostReport = {
  usedBytes: 3,
  freeBytes: 2,
  capacityBytes: 5,
  liveBytes: 1,
  trashBytes: 1,
  refuses: 'disk-slow',
}

function lossNamed(number: number): Loss {
  return {
    pseudonym: pseudonymId(fixed('drive', number, 16)),
    segment: segmentId(fixed('segment', number, 32)),
    index: number % 8,
    shard: shardId(fixed('shard', number, 32)),
    generation: 1,
  } as Loss
}

function reporting(lossCount = 0) {
  const clock = new DrivenClock()
  const said: string[] = []
  const stop = new AbortController()
  let listed = Array.from({ length: lossCount }, (_, at) => lossNamed(at))
  const state = { fails: null as string | null }
  const call = async (name: string) => {
    await new Promise((resolve) => setImmediate(resolve))
    if (state.fails !== null) throw new AppError(state.fails, state.fails, { retry: 'later' })
    said.push(name)
  }
  const session = {
    nowMs: () => clock.nowMs(),
    register: async () => {
      await call('register')
      return { incarnation: 7 }
    },
    report: async (_host: string, report: HostReport) => {
      checkValue(HostReport, report, 'report')
      await call('report')
      return {}
    },
    reportLosses: async (_host: string, losses: LossesRequest['losses']) => {
      checkValue(LossesRequest, { losses }, 'losses')
      await call(`losses ${losses.length}`)
    },
    onDelete: () => () => {},
    sendDeleted: () => true,
  }
  const losses = new Losses({
    losses: (limit) => listed.slice(0, limit),
    settle: async (told) => {
      listed = listed.filter((one) => !told.includes(one))
    },
    tell: (told) => session.reportLosses(HOST, told),
  })
  const incarnations: number[] = []
  const parts = { host: HOST, session, clock, log: silentLog, losses, everyMs: 60_000, signal: stop.signal }
  const reporter = new Reporter({
    ...parts,
    facts: () => ({ host: HOST, capacityBytes: 5 }),
    report: async () => REPORT,
    onRegistered: (incarnation) => incarnations.push(incarnation),
    marks: { shown: () => ({}), keep: () => undefined },
  })
  return { clock, said, stop, state, reporter, incarnations, left: () => listed.length }
}

t.test('it registers once, reports every minute, and at once when something changed', async (t) => {
  const { clock, said, stop, reporter, incarnations } = reporting()
  const running = reporter.run()
  await clock.advance(0)
  await reporter.inform()
  t.same(said.slice(0, 2), ['register', 'report'])
  t.same(incarnations, [7])
  const before = said.length
  await Promise.all([reporter.inform(), reporter.inform(), reporter.inform()])
  t.ok(said.length - before <= 2, 'news that comes together is told together')
  reporter.registerAgain()
  await reporter.inform()
  t.same(said.slice(-2), ['register', 'report'], 'with what it lends now')
  stop.abort()
  await running
})

t.test('a bridge that has forgotten the host hears it register again', async (t) => {
  const { said, state, reporter } = reporting()
  await reporter.inform()
  state.fails = 'unknown-host'
  await reporter.inform()
  t.notOk(reporter.registered)
  state.fails = null
  await reporter.inform()
  t.same(said, ['register', 'report', 'register', 'report'])
})

t.test('losses are told a thousand at a time, and only what the bridge took leaves the list', async (t) => {
  const { said, state, reporter, left } = reporting(2_300)
  state.fails = 'bridge-unreachable'
  await reporter.inform()
  t.equal(left(), 2_300)
  state.fails = null
  await reporter.inform()
  t.same(said, ['register', 'report', 'losses 1000', 'losses 1000', 'losses 300'])
  t.equal(left(), 0)
  await reporter.inform()
  t.same(said.slice(5), ['report'], 'nothing is left to tell')
})
