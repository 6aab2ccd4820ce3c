/**
 * A daemon that is killed while a notification of it waits in the kernel: the lock it waits for is held by a program that waits for
 * the daemon, so it never ends, its connection stays open, and every question to the mount waits for ever.
 */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { clearStaleMount } from '../../src/mount/fuse/mount-point.js'
import { Lab } from '../support/drive-process.js'
import { hangMount, mountNamespace } from '../support/hung-mount.js'
import { isMounted, mountPlace, noMounts, run, startDoor, USER } from '../support/mounts.js'
import { killQuietly, until } from '../support/programs.js'

const isRoot = process.geteuid?.() === 0
const skip = noMounts() || (isRoot ? false : 'needs root')
t.setTimeout(280_000)
const control = '/sys/fs/fuse/connections'

t.test('the next mount ends what a killed daemon left hanging, and who waited is told', { skip }, async (t) => {
  const place = mountPlace(t)
  const { asking, dead } = await hangMount(t, place)
  const next = startDoor(t, [place])
  t.match(await next.next(), { ready: place })
  t.match((await asking).stderr, /not connected|abort/)
  t.equal(await dead.exited, 'SIGKILL')
  t.equal((await run('touch', [`${place}/a`])).status, 0)
  next.child.kill('SIGTERM')
  t.match(await next.next(), { ended: 'unmounted' })
  t.equal(await next.exited, 0)
  t.notOk(isMounted(place))
})

t.test('an ordinary user does so through the control files of the kernel', { skip }, async (t) => {
  const place = mountPlace(t, USER)
  const { asUser } = await mountNamespace(t, place, `mountpoint -q ${control} || mount -t fusectl none ${control}`)
  const { asking, dead } = await hangMount(t, place, asUser(USER))
  const next = startDoor(t, [place], { prefix: asUser(USER) })
  t.match(await next.next(), { ready: place })
  t.match((await asking).stderr, /not connected|abort/)
  t.equal(await dead.exited, 'SIGKILL')
  const [program = '', ...words] = [...asUser(USER), 'touch', `${place}/a`]
  t.equal((await run(program, words)).status, 0)
  next.child.kill('SIGTERM')
  t.match(await next.next(), { ended: 'unmounted' })
})

t.test('without them it is told that this takes root, and what to type', { skip }, async (t) => {
  const place = mountPlace(t, USER)
  const { asUser, inside } = await mountNamespace(t, place, `mount -t tmpfs none ${control}`)
  const { asking, dead } = await hangMount(t, place, asUser(USER))
  t.match(await startDoor(t, [place], { prefix: asUser(USER) }).next(), {
    failed: 'mountpoint-busy',
    hint: `ending it takes root here: sudo umount -f ${place}; then mount again`,
  })
  const [program = '', ...words] = [...inside, 'umount', '-f', place]
  await run(program, words)
  t.match((await asking).stderr, /not connected|abort/)
  t.equal(await dead.exited, 'SIGKILL')
  const next = startDoor(t, [place], { prefix: asUser(USER) })
  t.match(await next.next(), { ready: place })
  next.child.kill('SIGTERM')
  t.match(await next.next(), { ended: 'unmounted' })
})

t.test(
  'a daemon that is only stopped is left alone, and the one who asks does not wait for it',
  { skip },
  async (t) => {
    const place = mountPlace(t)
    const living = startDoor(t, [place])
    t.match(await living.next(), { ready: place })
    living.child.kill('SIGSTOP')
    t.match(await startDoor(t, [place]).next(), { failed: 'mountpoint-busy' })
    t.equal(await clearStaleMount(place), false)
    living.child.kill('SIGCONT')
    t.equal((await run('touch', [`${place}/a`])).status, 0, 'it goes on')
    living.child.kill('SIGTERM')
    t.match(await living.next(), { ended: 'unmounted' })
  },
)

t.test('up comes back after everything was killed, also over a mount that hangs', { skip }, async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const first = await lab.up({ mount })
  await lab.sh('echo kept > a; sync a', { cwd: mount })
  for (const { pid } of await lab.processes()) killQuietly(pid)
  await first.exited
  await until('all are dead', async () => (await lab.processes()).length === 0)
  t.same(lab.mounts(), [mount], 'its mount is left behind')
  const died = {
    status: 6,
    stderr: new RegExp(`the daemon of ${mount} has died [^]*shardrive mount ${mount} --state `),
  }
  for (const words of [['status'], ['status', path.join(mount, 'a')], ['sync']])
    t.match(await lab.shardrive(words), died)
  t.match((await lab.shardrive(['doctor'])).stdout, `BAD  drive: the daemon of ${mount} has died`)
  await hangMount(t, mount)
  t.same(lab.mounts(), [mount], 'and one that hangs took its place')
  const again = await lab.up({ mount })
  t.equal(await lab.sh('cat a', { cwd: mount }), 'kept\n')
  t.equal(await again.stop(), 0)
  t.same(lab.mounts(), [])
  t.ok(fs.existsSync(mount))
})

t.test('unmount takes away what hangs', { skip }, async (t) => {
  const lab = new Lab(t)
  const mount = lab.made('mnt')
  const { asking } = await hangMount(t, mount)
  const ran = await lab.shardrive(['unmount', mount], 20_000)
  t.equal(ran.status, 0, ran.stderr)
  t.match(ran.stdout, /was dead|cleared/)
  t.match((await asking).stderr, /not connected|abort/)
  t.same(lab.mounts(), [])
})
