import t from 'tap'
import { coldReadTest } from '../support/cold-reads.js'
import { testSeed } from '../support/dice.js'

/** Some twenty minutes. */
const ROUNDS = 30

t.setTimeout(3_600_000)
const first = testSeed()
for (let round = 0; round < ROUNDS; round++) {
  const scale = {
    ...{ smallFiles: 300, largeBytes: [20_000_000, 9_000_000, 2_500_000], epochs: 4, changesAnEpoch: 150 },
    ...{ readers: 32, troubleMs: 20_000, command: 'test/long/cold-reads-often.test.ts' },
  }
  coldReadTest(scale, first + round)
}
