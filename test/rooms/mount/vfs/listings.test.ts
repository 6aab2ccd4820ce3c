/** Listings of more than one page. */
import t from 'tap'
import { VfsDriver } from '../../../model/vfs-driver.js'
import { FakeHosts, ledgerOf } from '../metadata/support.js'

const name = (text: string) => Buffer.from(text)

t.test(
  'S-10 S-32 names fetched ahead are for going on: who begins anew or goes back sees what is there now',
  async (t) => {
    const ledger = await ledgerOf(t)
    const { vfs } = await VfsDriver.start(ledger, new FakeHosts())
    const time = { sec: 1, nsec: 0 }
    const makeFile = (called: string) =>
      ledger.make({ parent: 1, name: name(called), mode: 0o100644, uid: 0, gid: 0, time })
    await Promise.all(Array.from({ length: 4_500 }, (_, i) => makeFile(`f${i}`)))
    const { fh } = await vfs.openDirectory(1)
    /** Pages of 800, as the kernel takes 819 of 1,000: the last of each is not taken. */
    const restFrom = async (offset: number, taken = 800): Promise<string[]> => {
      const seen: string[] = []
      for (let at = offset; ; ) {
        const page = [...(await vfs.readDirectory(1, fh, at, 1_000, false))].slice(0, taken)
        if (page.length === 0) return seen
        for (const entry of page) seen.push(entry.name.toString())
        at = page.at(-1)?.cookie ?? 0
      }
    }
    const whole = ['.', '..', ...Array.from({ length: 4_500 }, (_, i) => `f${i}`)]
    t.same(await restFrom(0), whole, 'each once, in order, whatever was left of a page')
    const plus = [...(await vfs.readDirectory(1, fh, 0, 200, true))].slice(0, 190)
    t.same([...plus.map((one) => one.name.toString()), ...(await restFrom(plus.at(-1)?.cookie ?? 0))], whole)
    const first = [...(await vfs.readDirectory(1, fh, 0, 1_000, false))].slice(0, 800)
    const place = first.at(-1)?.cookie ?? 0
    await vfs.unlink(1, name('f1200'))
    await vfs.unlink(1, name('f4400'))
    await makeFile('new')
    const now = whole.filter((one) => one !== 'f1200' && one !== 'f4400').concat('new')
    const onward = await restFrom(place)
    t.same(
      onward.filter((one) => now.includes(one) && one !== 'new'),
      now.slice(800, -1),
      'a listing under way misses nothing that was there all the time',
    )
    t.same(await restFrom(0, 1_000), now, 'begun anew')
    await vfs.readDirectory(1, fh, 0, 1_000, false)
    await vfs.readDirectory(1, fh, place, 1_000, false)
    await vfs.unlink(1, name('f1300'))
    t.same(
      await restFrom(first[10]?.cookie ?? 0),
      now.slice(11).filter((one) => one !== 'f1300'),
      'gone back',
    )
    vfs.releaseDirectory(1, fh)
  },
)
