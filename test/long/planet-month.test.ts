/** The month of test/net/planet.test.ts with as many audits as a bridge makes. */
import t from 'tap'
import { checkYears, forkYear } from '../support/planet-fork.js'

const seeds = (process.env.SEEDS ?? '1').split(',').map(Number)

t.test('in a month of all audits nothing is lost, liars are found, and honest hosts stay', async (t) => {
  const results = []
  for (const seed of seeds) {
    results.push(await forkYear(t, { seed, days: 30, hosts: 100, segments: 600, burstsADay: 36 }))
  }
  checkYears(t, results)
})
