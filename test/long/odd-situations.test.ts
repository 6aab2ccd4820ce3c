// What programs come into seldom, on a drive and in a folder of this machine's own: both must show the same (odd-situations.py).
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { driveOf, shell } from '../mount/vfs-mount.js'
import { noMounts } from '../support/mounts.js'

// Real programs on a shared machine.
t.setTimeout(600_000)
const SITUATIONS = path.resolve('test/support/odd-situations.py')
const RUN = { timeout: 280_000, maxBuffer: 1 << 24, env: { ...process.env, LC_ALL: 'C' } }

async function outcomes(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('python3', [SITUATIONS, folder], RUN)
  return stdout.split('\n').filter((line) => line !== '')
}

t.test('S-13 S-14 S-21 S-33 S-42 a drive is like a folder of this machine', { skip: noMounts() }, async (t) => {
  const local = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-odd-'))
  t.teardown(() => fs.rmSync(local, { recursive: true, force: true }))
  const { mount } = await driveOf(t)
  const expected = await outcomes(local)
  const found = await outcomes(mount)
  t.ok(expected.length > 10)
  for (const [at, line] of expected.entries()) t.equal(found[at], line, line.slice(0, line.indexOf(':')))
  t.equal(found.length, expected.length)
})

const noRoot = noMounts() || (process.geteuid?.() === 0 ? false : 'only root mounts these')

t.test('S-43 what Linux puts on top of a mount, and what it does not', { skip: noRoot }, async (t) => {
  const { mount } = await driveOf(t)
  const said = await shell(
    mount,
    `mkdir on bound low over up work && echo low > low/f && truncate -s 64M image && mkfs.ext4 -q -F image
     for how in off on; do
       loop=$(losetup --direct-io=$how -f --show image) && mount $loop on
       head -c 9000000 /dev/urandom > on/bytes && sum=$(md5sum < on/bytes) && umount on && mount $loop on
       test "$sum" = "$(md5sum < on/bytes)" && echo loop $how; umount on; losetup -d $loop
     done
     e2fsck -fn image > log 2>&1 && echo sound
     mount --bind low bound && echo bound > bound/g && umount bound && cat low/g
     top=$(mktemp -d) && mount -t tmpfs tmpfs $top && mkdir $top/u $top/w
     mount -t overlay overlay -o lowerdir=low,upperdir=$top/u,workdir=$top/w over && echo more >> over/f && rm over/g && cat over/f low/f && umount over
     umount $top && rmdir $top
     mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work over 2>/dev/null && umount over || echo no upper layer
     python3 -c "import ctypes; c = ctypes.CDLL(None, use_errno=True); print('whiteout', c.renameat2(-100, b'low/f', -100, b'low/h', 4), ctypes.get_errno())"
     head -c 1048576 /dev/zero > swap && chmod 600 swap && mkswap swap > log 2>&1 && swapon swap 2>/dev/null || echo no swap`,
  )
  t.same(said.trim().split('\n'), [
    ...['loop off', 'loop on', 'sound', 'bound', 'low', 'more', 'low', 'no upper layer', 'whiteout -1 22', 'no swap'],
  ])
})
