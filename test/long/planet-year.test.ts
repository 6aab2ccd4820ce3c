/**
 * A year of a network of a hundred hosts, 38 of them up to no good, for several seeds, two side by side. Each host is asked 12 times a
 * day, a bridge asks 36 times: so nobody is found sooner here than by a bridge. SEEDS=1,2 and BURSTS=36 change that.
 */
import t from 'tap'
import { checkYears, forkYear } from '../support/planet-fork.js'
import type { YearResult } from '../support/planet-year.js'

const seeds = (process.env.SEEDS ?? '1,2,3').split(',').map(Number)
const burstsADay = Number(process.env.BURSTS ?? 12)
const AT_ONCE = 2

t.test('in a year nothing is lost, liars are found, and honest hosts stay', async (t) => {
  const results: YearResult[] = []
  const left = [...seeds]
  const passNext = async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      results.push(await forkYear(t, { seed, days: 365, hosts: 100, segments: 600, burstsADay }))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, passNext))
  checkYears(
    t,
    results.sort((a, b) => a.seed - b.seed),
  )
  for (const { vanished, left } of results) t.ok(vanished > 0 && left > 0, 'some went without a word, some in order')
})
