/** Rename: every kind onto every kind, folders and what is above and below them, flags, and who may. */
import { KINDS, type Kind, make, openFolder } from './kinds.js'
import type { Scene } from './scene.js'
import type { Family } from './suite.js'

function refusal(from: Kind, to: Kind): string | null {
  if (from === 'directory') return to === 'directory' ? null : 'ENOTDIR'
  return to === 'directory' ? 'EISDIR' : null
}

async function ontoEvery(s: Scene, from: Kind): Promise<void> {
  await s.me.do('mkdir', 'a', 0o755)
  await s.me.do('mkdir', 'b', 0o755)
  for (const to of KINDS) {
    await make(s, from, 'a/from')
    await make(s, to, 'b/to')
    const [moved, there] = [await s.me.stat('a/from'), await s.me.stat('b/to')]
    const errno = refusal(from, to)
    await s.me.no('EEXIST', 'rename2', 'a/from', 'b/to', 'NOREPLACE')
    await s.me.expect(errno, 'rename', 'a/from', 'b/to')
    if (errno !== null) {
      s.same(`${from} stays`, await s.me.stat('a/from'), moved)
      s.same(`${to} stays`, await s.me.stat('b/to'), there)
    } else {
      await s.me.no('ENOENT', 'lstat', 'a/from')
      const { type, ino, mode, size, mtime } = moved
      await s.me.has({ type, ino, mode, size, mtime, nlink: moved.nlink }, 'lstat', 'b/to')
      await make(s, from, 'a/from')
    }
    const [one, two] = [await s.me.stat('a/from'), await s.me.stat('b/to')]
    await s.me.ok('rename2', 'a/from', 'b/to', 'EXCHANGE')
    await s.me.has({ ino: two.ino, type: two.type }, 'lstat', 'a/from')
    await s.me.has({ ino: one.ino, type: one.type }, 'lstat', 'b/to')
    for (const path of ['a/from', 'b/to']) {
      await s.me.do((await s.me.stat(path)).type === 'directory' ? 'rmdir' : 'unlink', path)
    }
  }
  await make(s, from, 'a/from')
  const { ino } = await s.me.stat('a/from')
  await s.me.ok('rename', 'a/from', 'b/new')
  await s.me.has({ ino }, 'lstat', 'b/new')
  await s.me.ok('rename', 'b/new', 'b/newer')
  await s.me.ok('rename2', 'b/newer', 'a/last', 'NOREPLACE')
  await s.me.no('ENOENT', 'rename2', 'a/last', 'a/none', 'EXCHANGE')
  await s.me.no('ENOENT', 'rename', 'b/newer', 'b/newest')
  await s.me.has({ ino }, 'lstat', 'a/last')
}

export const renames: Family = {
  name: 'renaming',
  cases: [
    ...KINDS.map((kind) => ({
      clause: 'S-13' as const,
      name: `a ${kind} goes in place of every kind that POSIX lets it`,
      run: (s: Scene) => ontoEvery(s, kind),
    })),
    {
      clause: 'S-13',
      name: 'folders go onto empty folders only, and never into themselves',
      run: async (s) => {
        for (const path of ['a', 'a/b', 'a/b/c', 'full', 'full/x', 'empty']) await s.me.do('mkdir', path, 0o755)
        await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rename', 'a', 'full')
        await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rename', 'empty', 'full')
        await s.me.no('EINVAL', 'rename', 'a', 'a/x')
        await s.me.no('EINVAL', 'rename', 'a', 'a/b')
        await s.me.no('EINVAL', 'rename', 'a', 'a/b/c')
        await s.me.no('EINVAL', 'rename', 'a', 'a/b/c/x')
        await s.me.no('EINVAL', 'rename2', 'a', 'a/b', 'EXCHANGE')
        await s.me.no('EINVAL', 'rename2', 'a/b/c', 'a', 'EXCHANGE')
        await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rename', 'a/b/c', 'a')
        await s.me.no(['EINVAL', 'EBUSY'], 'rename', 'a/.', 'x')
        await s.me.no(['EINVAL', 'EBUSY'], 'rename', 'a/..', 'x')
        await s.me.no(['EINVAL', 'EBUSY', 'EEXIST', 'ENOTEMPTY'], 'rename', 'empty', 'a/.')
        await s.me.ok('rename', 'a', 'a')
        await s.me.ok('rename', 'a', 'empty')
        await s.me.ok('rename', 'empty/b/c', 'c')
        await s.me.ok('rename', 'empty', 'c/deep')
        await s.me.has({ type: 'directory', nlink: 2 }, 'stat', 'c/deep/b')
      },
    },
    {
      clause: 'S-13',
      name: "a folder that moved has a new '..'",
      run: async (s) => {
        for (const path of ['a', 'b', 'a/d']) await s.me.do('mkdir', path, 0o755)
        const [a, b] = [await s.me.stat('a'), await s.me.stat('b')]
        await s.me.has({ ino: a.ino }, 'stat', 'a/d/..')
        await s.twin.do('chdir', 'a/d')
        await s.me.ok('rename', 'a/d', 'b/e')
        await s.me.has({ ino: b.ino }, 'stat', 'b/e/..')
        await s.twin.has({ ino: b.ino }, 'stat', '..')
        const listed = await s.me.do<[string, number, string][]>('scan', 'b/e')
        s.same("'..' as listed", listed.find(([name]) => name === '..')?.[1], b.ino)
        const cwd = await s.twin.ok<string>('getcwd')
        s.yes(`${cwd} ends in b/e`, cwd.endsWith('/b/e'))
      },
    },
    {
      clause: 'S-13',
      name: 'onto another name of the same file, nothing happens',
      run: async (s) => {
        await s.me.write('a', 'x')
        await s.me.do('link', 'a', 'b')
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.do('link', 'a', 'd/c')
        const before = [await s.me.stat('a'), await s.me.stat('.'), await s.me.stat('d')]
        await s.me.ok('rename', 'a', 'b')
        await s.me.ok('rename', 'a', 'd/c')
        await s.me.ok('rename', 'a', 'a')
        await s.me.no('EEXIST', 'rename2', 'a', 'b', 'NOREPLACE')
        s.same('all is as it was', [await s.me.stat('a'), await s.me.stat('.'), await s.me.stat('d')], before)
        await s.me.has({ nlink: 3 }, 'stat', 'b')
      },
    },
    {
      clause: 'S-13',
      name: 'a file that is replaced while open keeps its bytes, and both go on',
      run: async (s) => {
        await s.me.write('old', 'old bytes')
        await s.me.write('new', 'new bytes')
        await s.me.do('link', 'old', 'also old')
        const fd = await s.me.do('open', 'old', 'RDWR')
        const moving = await s.me.do('open', 'new', 'RDWR')
        await s.me.ok('rename', 'new', 'old')
        await s.me.has({ nlink: 1, size: 9 }, 'fstat', fd)
        await s.me.is('old bytes', 'pread', fd, 20, 0)
        await s.me.is(4, 'pwrite', moving, 'NEW!', 0)
        s.same('by its new name', await s.me.read('old'), 'NEW!bytes')
        await s.me.do('unlink', 'also old')
        await s.me.has({ nlink: 0 }, 'fstat', fd)
        await s.me.is('old bytes', 'pread', fd, 20, 0)
      },
    },
    {
      clause: 'S-13',
      name: 'an open folder that is replaced is an empty one without a name',
      run: async (s) => {
        await s.me.do('mkdir', 'a', 0o755)
        await s.me.do('mkdir', 'b', 0o755)
        await s.me.write('a/x')
        const fd = await s.me.do('open', 'b', 'RDONLY|DIRECTORY')
        await s.me.ok('rename', 'a', 'b')
        await s.me.has({ nlink: 0, type: 'directory' }, 'fstat', fd)
        await s.me.has({ type: 'file' }, 'stat', 'b/x')
      },
    },
    {
      clause: 'S-13',
      name: 'flags that do not go together, or that nobody offers',
      run: async (s) => {
        await s.me.write('a')
        await s.me.write('b')
        await s.me.no('EINVAL', 'rename2', 'a', 'b', 'NOREPLACE|EXCHANGE')
        await s.me.no(s.privileged ? 'EINVAL' : ['EINVAL', 'EPERM'], 'rename2', 'a', 'c', 'WHITEOUT')
        await s.me.ok('rename2', 'a', 'b', '')
        await s.me.no('ENOENT', 'rename2', 'a', 'b', 'NOREPLACE')
      },
    },
    {
      clause: 'S-25',
      name: "moving a folder elsewhere takes write permission on it, for its '..' changes",
      run: async (s) => {
        await openFolder(s, 'a')
        await openFolder(s, 'b')
        await openFolder(s, 'a/d', 0o755, s.other)
        await s.me.expect(s.privileged ? null : 'EACCES', 'rename', 'a/d', 'b/d')
        if (s.privileged) return
        await s.me.ok('rename', 'a/d', 'a/e')
        await s.root.do('chmod', 'a/e', 0o777)
        await s.me.ok('rename', 'a/e', 'b/d')
      },
    },
    {
      clause: 'S-22',
      name: 'nothing goes to another file system by rename or link',
      run: async (s) => {
        await s.me.write('f')
        await s.me.no('EXDEV', 'rename', 'f', '/dev/shm/posix-suite-none')
        await s.me.no('EXDEV', 'link', 'f', '/dev/shm/posix-suite-none')
        await s.me.no('EXDEV', 'rename', '/dev/null', 'g')
        await s.me.has({ nlink: 1 }, 'stat', 'f')
      },
    },
  ],
}
