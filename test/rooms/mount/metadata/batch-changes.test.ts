import t from 'tap'
import { changedNames } from '../../../../src/mount/metadata/batch-changes.js'
import { DIRECTORY, FakeHosts, ledgerOf, makeFile, nextHead, now, prepare, publish, ROOT } from './support.js'

/** Above ten thousand names and inodes together. */
const FILES = 3_400

t.test('a batch tells every name and inode that it changed, however many: also names that are gone', async (t) => {
  const ledger = await ledgerOf(t)
  const other = await ledgerOf(t)
  const hosts = new FakeHosts()
  const apply = async () => {
    const cut = await ledger.cut()
    if (cut === null) throw new Error('nothing to cut')
    const changes = await other.applyBatch((await prepare(ledger, cut, hosts)).operations, cut.epoch, nextHead())
    await publish(ledger, cut.epoch)
    return changes
  }
  const d = await makeFile(ledger, ROOT, 'd', DIRECTORY)
  const oldName = (at: number) => Buffer.from(`old ${at}`)
  const newName = (at: number) => Buffer.from(`\xfe${at}`, 'latin1')
  const numbers = Array.from({ length: FILES }, (_, at) => at)
  await Promise.all(numbers.map((at) => makeFile(ledger, d.ino, String(oldName(at)))))
  await apply()
  await Promise.all(numbers.map((at) => ledger.rename(d.ino, oldName(at), ROOT, newName(at), 'replace', now())))
  const before = (await other.attributes(ROOT)).asOf
  const changes = await apply()
  t.ok(before < changes.asOf && changes.asOf <= (await other.attributes(ROOT)).asOf, 'and since when it is so')
  const here = (await other.lookup(ROOT, Buffer.from('d')))?.ino
  const told = new Set([...changedNames(changes)].map(({ parent, name }) => `${parent}/${name.toString('latin1')}`))
  t.equal(told.size, 2 * FILES)
  const wanted = numbers.flatMap((at) => [`${here}/${oldName(at)}`, `${ROOT}/${newName(at).toString('latin1')}`])
  t.same(
    wanted.filter((one) => !told.has(one)),
    [],
  )
  const inodes = new Set(changes.inodes)
  t.ok(inodes.has(ROOT) && inodes.has(here as number))
  t.equal(inodes.size, FILES + 2)
})
