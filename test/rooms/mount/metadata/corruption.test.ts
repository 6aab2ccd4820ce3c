/** S-20: a page of the ledger that a disk has spoilt is found when it is met, whichever page it is. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { LedgerClient } from '../../../../src/mount/metadata/client.js'
import { PAGE_BYTES } from '../../../../src/mount/metadata/database.js'
import { Dice, testSeed } from '../../../support/dice.js'
import { dumpTree, makeFile, now, open, ROOT, rampBytes, scratch, write } from './support.js'

const FILES = 60
/** One of each table and index, about; behind them come rows. */
const TREE_PAGES = 14
const MORE_PAGES = 6
type Spoil = (page: Buffer, dice: Dice) => void

/** What bad disks and lost writes leave of a page. */
const SPOILS: readonly [string, Spoil][] = [
  ['zeros', (page) => void page.fill(0)],
  ['noise', (page, dice) => void rampBytes(dice.roll(1, 2 ** 20), page.length).copy(page)],
  ['a torn end', (page) => void page.fill(0xff, page.length / 2)],
]

async function fill(folder: string): Promise<Map<string, unknown>> {
  const ledger = await open(folder)
  for (let n = 0; n < FILES; n++) {
    const file = await makeFile(ledger, ROOT, `file ${n}`)
    await write(ledger, file.ino, 0, rampBytes(n, 100 + n * 400))
    await ledger.setXattr(file.ino, Buffer.from('user.a'), rampBytes(n, 200), 'any', now())
  }
  const tree = await dumpTree(ledger)
  await ledger.close()
  return tree
}

/** What became of it: what it says is right, or it says that it is damaged and takes no more. Anything else throws. */
async function lookAt(folder: string, tree: Map<string, unknown>): Promise<'refused' | 'met' | 'unnoticed'> {
  let ledger: LedgerClient
  try {
    ledger = await open(folder)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'database-damaged') return 'refused'
    throw error
  }
  try {
    const found = await dumpTree(ledger)
    if (JSON.stringify([...found]) !== JSON.stringify([...tree])) throw new Error('it shows another tree')
    const findings = await ledger.check()
    if (findings.length > 0) throw new Error(`only fsck finds it: ${JSON.stringify(findings)}`)
    return 'unnoticed'
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'database-damaged') throw error
    if (!/damaged/.test(ledger.readOnlyReason() ?? '')) throw new Error('it is damaged, and goes on taking changes')
    const refused = await makeFile(ledger, ROOT, 'more').then(
      () => null,
      (failure: unknown) => failure,
    )
    if ((refused as { code?: unknown } | null)?.code !== 'read-only') throw new Error('it took a change')
    return 'met'
  } finally {
    await ledger.close().catch(() => undefined)
  }
}

const seed = testSeed()

t.test(`S-20 a spoilt page is found when it is met, whichever it is (SEED=${seed})`, async (t) => {
  t.setTimeout(100_000)
  const dice = new Dice(seed)
  const folder = scratch(t)
  const tree = await fill(folder)
  const sound = fs.readFileSync(path.join(folder, 'ledger.db'))
  const ends = { refused: 0, met: 0, unnoticed: 0 }
  const pages = sound.length / PAGE_BYTES
  const some = Array.from({ length: MORE_PAGES }, () => dice.roll(TREE_PAGES, pages - 1))
  for (const page of new Set([...Array(TREE_PAGES).keys(), ...some])) {
    const [name, spoil] = dice.pick(SPOILS)
    const spoilt = Buffer.from(sound)
    spoil(spoilt.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), dice)
    const place = path.join(folder, `${page}`)
    fs.mkdirSync(place)
    fs.writeFileSync(path.join(place, 'ledger.db'), spoilt)
    try {
      ends[await lookAt(place, tree)]++
    } catch (error) {
      t.fail(`page ${page} of ${pages}, ${name}: ${(error as Error).stack}`)
    }
  }
  t.comment(`refused at the start ${ends.refused}, found when met ${ends.met}, of no use to anybody ${ends.unnoticed}`)
  t.ok(ends.refused > 0 && ends.met > 0)
})
