/**
 * A month of a network of a hundred hosts, 38 of them up to no good: test/support/planet-kinds.ts says how. Each is asked 5 times a day,
 * a bridge asks 36 times: so nobody is found sooner here than by a bridge. test/long lets a year pass.
 */
import t from 'tap'
import { checkYears, forkYear } from '../support/planet-fork.js'

const seed = Number(process.env.SEED ?? 1)

t.test(`in a month nothing is lost, liars are found, and honest hosts stay (SEED=${seed})`, async (t) => {
  checkYears(t, [await forkYear(t, { seed, days: 30, hosts: 100, segments: 300, burstsADay: 5 })])
})
