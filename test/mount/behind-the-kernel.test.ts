/**
 * What another device changed, through a real kernel that trusts names and attributes for a day: a reader's mount shows the new tree,
 * however much one epoch changes. The portable door, whose kernel trusts nothing, forgets the names that it remembers itself.
 */
import t from 'tap'
import { mountDoor } from '../../src/mount/fuse/door.js'
import { mountPortableDoor } from '../../src/mount/portable/door.js'
import { DriveNet } from '../support/drive-net.js'
import { mountPlace, noMounts, run, sh } from '../support/mounts.js'
import { noPortableDoor } from '../support/portable.js'
import { until } from '../support/programs.js'

const skip = noMounts()
/** More than once was told name by name. */
const FILES = 3_500
t.setTimeout(280_000)

/** For each file, some at a time. */
async function each(work: (at: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < FILES; at += 250) {
    await Promise.all(Array.from({ length: Math.min(250, FILES - at) }, (_, more) => work(at + more)))
  }
}

t.test(
  'a reader sees every name of a large change at once: new, gone, and where something else is now',
  { skip },
  async (t) => {
    const net = await DriveNet.start(t, { hosts: 8 })
    const writer = await net.newAccount('writer')
    await writer.open()
    const { hand } = writer
    await hand.makeFolder('many')
    await hand.makeFolder('folder')
    await each((at) => hand.write(`many/old-${at}`, Buffer.alloc(0)))
    await hand.write('folder/a', Buffer.from('first'))
    await hand.write('folder/b', Buffer.from('second'))
    await writer.sync()

    const reader = await net.joinAccount(writer, 'reader')
    const drive = await reader.open({ readOnly: true })
    const place = mountPlace(t)
    const door = await mountDoor(place, { fs: drive.vfs })
    t.teardown(() => door.unmount())
    drive.showOn(door)

    // The kernel remembers all of it: names, that there are none of other names, attributes, bytes.
    const missing = `many/new-0 many/new-${FILES - 1} folder/c`
    const looked = await sh(
      `cd "$1"; ls -l many | wc -l; cat folder/a folder/b; for f in ${missing}; do test ! -e $f; done; stat -c %s folder/b`,
      place,
    )
    t.equal(looked, `${FILES + 1}\nfirstsecond6`)

    await each((at) => hand.rename(`many/old-${at}`, `many/new-${at}`))
    await hand.rename('folder/a', 'folder/c')
    await hand.write('folder/b', Buffer.from('the second, longer'))
    await hand.write('folder/a', Buffer.from('another'))
    await writer.sync()
    await drive.sync.chain.follow(AbortSignal.timeout(60_000))

    const fresh = `cd "$1"; cat folder/a folder/b folder/c; stat -c %s folder/b; for f in ${missing}; do test -e $f; done`
    const gone = `for at in 0 1 ${FILES - 1}; do test ! -e many/old-$at; done; ls many | grep -c ^new-`
    await until(
      'the kernel has forgotten',
      async () => (await run('sh', ['-ec', `${fresh}; ${gone}`, 'sh', place])).status === 0,
    )
    t.equal(
      await sh(`${fresh}; ${gone}; ls many | wc -l`, place),
      `anotherthe second, longerfirst18\n${FILES}\n${FILES}`,
    )
    await door.unmount()
    if (await noPortableDoor()) return

    const portable = await mountPortableDoor(place, { fs: drive.vfs })
    t.teardown(() => portable.unmount())
    drive.showOn(portable)
    t.equal(await sh('cd "$1"; cat folder/a folder/b; test ! -e folder/d', place), 'anotherthe second, longer')
    await hand.rename('folder/a', 'folder/d')
    await hand.rename('folder/b', 'folder/a')
    await hand.rename('many', 'folder/many')
    await writer.sync()
    await drive.sync.chain.follow(AbortSignal.timeout(60_000))
    const moved =
      'cd "$1"; cat folder/a folder/d; test ! -e folder/b; test ! -e many/new-1; stat -c %s folder/many/new-1'
    await until(
      'the portable door has forgotten',
      async () => (await run('sh', ['-ec', moved, 'sh', place])).stdout.toString() === 'the second, longeranother0\n',
    )
    await portable.unmount()
  },
)
