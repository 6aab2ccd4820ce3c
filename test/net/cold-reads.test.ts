import t from 'tap'
import { coldReadTest } from '../support/cold-reads.js'

t.setTimeout(240_000)
coldReadTest({
  ...{ smallFiles: 80, largeBytes: [5_000_000, 1_500_000], epochs: 2, changesAnEpoch: 40 },
  ...{ readers: 16, troubleMs: 4_000, command: 'test/net/cold-reads.test.ts' },
})
