/** S-20: what a healing took over is told also by the process that comes after it. */
import t from 'tap'
import { type CarriedOver, decodeCarried, encodeCarried } from '../../../../src/mount/metadata/carried.js'

const MARK = '2027-01-15T080000'
const CARRIED: CarriedOver = {
  ...{ operations: 3, bytes: 4_096, lostOperations: 0, lostBytes: 512, lostFileCount: 1 },
  lostFiles: [{ path: 'a', bytes: 512, now: 'stored' }],
}

t.test('S-20 what was taken over is remembered of the ledger that it came from, and of no other', async (t) => {
  t.equal(decodeCarried(null, MARK), null)
  t.same(decodeCarried(encodeCarried(MARK, CARRIED), MARK), CARRIED)
  t.equal(decodeCarried(encodeCarried(MARK, CARRIED), `${MARK}-2`), null)
})

t.test('S-20 a release that remembered the mark alone, and died behind it, is gone on with', async (t) => {
  t.match(decodeCarried(Buffer.from(MARK), MARK), { operations: 0, lostOperations: null, lostFiles: [] })
})
