/** Who may read, write, execute and search: owner, group and others, each by its own three bits. */
import { openFolder } from './kinds.js'
import type { Actor, Scene } from './scene.js'
import { type Family, SECOND_GROUP } from './suite.js'

type Class = 'owner' | 'group' | 'other'
const CLASSES: readonly Class[] = ['owner', 'group', 'other']
const SHIFT: Record<Class, number> = { owner: 6, group: 3, other: 0 }

/** Makes me the owner, one of the group, or neither; all bits but those of my class are the opposite. */
async function belong(s: Scene, path: string, to: Class, bits: number): Promise<void> {
  const inverse = 0o777 & ~(0o7 << SHIFT[to]) & ((~bits & 7) * 0o111)
  await s.root.do('chown', path, to === 'owner' ? s.me.uid : s.other.uid, to === 'group' ? SECOND_GROUP : s.other.gid)
  await s.root.do('chmod', path, (bits << SHIFT[to]) | inverse)
}

function may(s: Scene, bits: number, wanted: number): string | null {
  return s.privileged || (bits & wanted) === wanted ? null : 'EACCES'
}

async function fileRow(s: Scene, to: Class, bits: number): Promise<void> {
  await s.root.write('f', 'bytes')
  await belong(s, 'f', to, bits)
  const { me } = s
  await me.expect(may(s, bits, 4), 'open', 'f', 'RDONLY')
  await me.expect(may(s, bits, 2), 'open', 'f', 'WRONLY')
  await me.expect(may(s, bits, 6), 'open', 'f', 'RDWR')
  await me.expect(may(s, bits, 2), 'open', 'f', 'WRONLY|TRUNC')
  await me.expect(may(s, bits, 2), 'open', 'f', 'WRONLY|APPEND|CREAT', 0o644)
  await me.expect(may(s, bits, 2), 'truncate', 'f', 3)
  await me.expect(may(s, bits, 4), 'access', 'f', 'R_OK')
  await me.expect(may(s, bits, 2), 'access', 'f', 'W_OK')
  // Of execution root has none where nobody has.
  const executes = s.privileged ? ((await me.stat('f')).mode & 0o111) !== 0 : (bits & 1) !== 0
  await me.expect(executes ? null : 'EACCES', 'access', 'f', 'X_OK')
  await me.has({ size: s.privileged || bits & 2 ? 3 : 5 }, 'stat', 'f')
  await s.root.do('unlink', 'f')
}

async function folderRow(s: Scene, to: Class, bits: number): Promise<void> {
  const { me } = s
  await openFolder(s, 'd', 0o777, s.root)
  await s.root.write('d/x', 'bytes', 0o666)
  await s.root.do('chmod', 'd/x', 0o666)
  await belong(s, 'd', to, bits)
  await me.expect(may(s, bits, 4), 'scan', 'd')
  await me.expect(may(s, bits, 4), 'open', 'd', 'RDONLY|DIRECTORY')
  await s.twin.expect(may(s, bits, 1), 'chdir', 'd')
  if (may(s, bits, 1) === null) await s.twin.do('chdir', '..')
  await me.expect(may(s, bits, 1), 'stat', 'd/x')
  await me.expect(may(s, bits, 1), 'open', 'd/x', 'RDWR')
  await me.expect(may(s, bits, 3), 'open', 'd/new', 'WRONLY|CREAT', 0o644)
  await me.expect(may(s, bits, 3), 'mkdir', 'd/dir', 0o755)
  await me.expect(may(s, bits, 3), 'symlink', 'to', 'd/soft')
  await me.expect(may(s, bits, 3), 'mknod', 'd/fifo', 'fifo', 0o644)
  await me.expect(may(s, bits, 3), 'rename', 'd/x', 'd/y')
  await me.expect(may(s, bits, 3), 'open', 'd', 'RDWR|TMPFILE', 0o600)
  await me.expect(may(s, bits, 3), 'unlink', s.privileged || (bits & 3) === 3 ? 'd/y' : 'd/x')
  await me.expect(may(s, bits, 3), 'rmdir', s.privileged || (bits & 3) === 3 ? 'd/dir' : 'd/x')
}

async function clearRow(s: Scene): Promise<void> {
  for (const name of ['new', 'soft', 'fifo', 'x', 'y']) await s.root.hand.ask('unlink', [`d/${name}`])
  await s.root.do('rmdir', 'd')
}

const EVERY_BITS = [0, 1, 2, 3, 4, 5, 6, 7] as const

async function executes(s: Scene, path: string, mode: number): Promise<void> {
  const may = s.privileged ? (mode & 0o111) !== 0 : (mode & 0o100) !== 0
  await s.me.do('chmod', path, mode)
  await s.me.expect(may ? null : 'EACCES', 'execute', path)
}

async function onlyOwner(s: Scene, actor: Actor, errno: string | null): Promise<void> {
  await actor.expect(errno, 'chmod', 'd/f', 0o777)
  await actor.expect(errno, 'chmod', 'd', 0o777)
  await actor.expect(errno, 'utimens', 'd/f', [1, 0], [2, 0])
  await actor.expect(errno, 'utimens', 'd/f', 'omit', [2, 0])
  await actor.expect(errno, 'utimens', 'd/f', [1, 0], 'now')
  await actor.expect(errno, 'utimens', 'd/l', [1, 0], [2, 0], false)
  await actor.expect(errno, 'chown', 'd/f', -1, s.other.gid)
}

export const permissions: Family = {
  name: 'permissions',
  cases: [
    ...CLASSES.map((to) => ({
      clause: 'S-25' as const,
      name: `a file, to its ${to}: each of the eight`,
      run: async (s: Scene) => {
        await s.root.do('chmod', '.', 0o777)
        for (const bits of EVERY_BITS) await fileRow(s, to, bits)
      },
    })),
    ...CLASSES.map((to) => ({
      clause: 'S-25' as const,
      name: `a folder, to its ${to}: each of the eight`,
      run: async (s: Scene) => {
        for (const bits of EVERY_BITS) {
          await folderRow(s, to, bits)
          await clearRow(s)
        }
      },
    })),
    {
      clause: 'S-25',
      name: 'a program runs when it may be executed, by root when anybody may',
      run: async (s) => {
        const fd = await s.me.do('open', 'program', 'WRONLY|CREAT', 0o755)
        await s.me.do('write', fd, '#!/bin/sh\nexit 7\n')
        await s.me.do('close', fd)
        await s.me.is(7, 'execute', './program')
        for (const mode of [0o000, 0o644, 0o744, 0o655, 0o611, 0o700, 0o777])
          await executes(s, './program', mode === 0o744 || mode === 0o611 ? mode | 0o500 : mode)
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.no('EACCES', 'execute', './d')
      },
    },
    {
      clause: 'S-25',
      name: "mode, owner and set times are the owner's (and root's) to change",
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f')
        await s.me.do('symlink', 'f', 'd/l')
        await onlyOwner(s, s.other, 'EPERM')
        await s.root.ok('chmod', 'd/f', 0o640)
        await s.root.ok('utimens', 'd/f', [1, 0], [2, 0])
        await s.me.has({ mode: 0o640, mtime: '2000000000', gid: s.me.gid }, 'stat', 'd/f')
        await s.me.ok('chmod', 'd/f', 0o600)
        await s.me.ok('utimens', 'd/f', [3, 0], 'omit')
      },
    },
    {
      clause: 'S-25',
      name: 'whoever may write may set the times to now, and only so',
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f')
        await s.other.no('EACCES', 'utimens', 'd/f', 'now', 'now')
        await s.me.do('chmod', 'd/f', 0o646)
        await s.other.ok('utimens', 'd/f', 'now', 'now')
        await s.other.no('EPERM', 'utimens', 'd/f', 'now', 'omit')
        await s.other.no('EPERM', 'utimens', 'd/f', 'omit', 'now')
        await s.other.no('EPERM', 'utimens', 'd/f', [1, 0], [1, 0])
        await s.other.ok('utimens', 'd/f', 'omit', 'omit')
      },
    },
    {
      clause: 'S-25',
      name: 'an open descriptor keeps what it was opened for',
      run: async (s) => {
        await s.me.write('f', 'bytes')
        const [read, write] = [await s.me.do('open', 'f', 'RDONLY'), await s.me.do('open', 'f', 'WRONLY')]
        await s.me.do('chmod', 'f', 0)
        await s.me.is('bytes', 'pread', read, 9, 0)
        await s.me.is(3, 'pwrite', write, 'BYT', 0)
        await s.me.ok('ftruncate', write, 4)
        await s.me.no('EBADF', 'pread', write, 9, 0)
        await s.me.no('EBADF', 'pwrite', read, 'x', 0)
        await s.me.no('EINVAL', 'ftruncate', read, 1)
        await s.me.no('EBADF', 'fallocate', read, '', 0, 10)
        await s.me.expect(s.privileged ? null : 'EACCES', 'open', 'f', 'RDONLY')
        const made = await s.me.ok('open', 'g', 'RDWR|CREAT', 0)
        await s.me.is(2, 'write', made, 'ok')
        await s.me.is('ok', 'pread', made, 9, 0)
      },
    },
  ],
}
