/** Flags of open(2), files without a name, programs that run, and limits of a process. */
import { KINDS, make, openFolder } from './kinds.js'
import type { Stat } from './scene.js'
import type { Family } from './suite.js'

const TIB = 2 ** 40

export const opens: Family = {
  name: 'opening',
  cases: [
    {
      clause: 'S-27',
      name: 'folders open for reading only',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.do('symlink', 'd', 'l')
        for (const path of ['d', 'l']) {
          await s.me.ok('open', path, 'RDONLY')
          await s.me.ok('open', path, 'RDONLY|DIRECTORY')
          for (const flags of ['WRONLY', 'RDWR', 'RDONLY|TRUNC', 'WRONLY|APPEND', 'RDONLY|CREAT', 'WRONLY|CREAT']) {
            await s.me.no('EISDIR', 'open', path, flags)
          }
        }
        await s.me.no('ENOTDIR', 'open', 'l', 'RDONLY|DIRECTORY|NOFOLLOW')
        const fd = await s.me.do('open', 'd', 'RDONLY')
        await s.me.no('EISDIR', 'read', fd, 10)
        await s.me.no('EBADF', 'write', fd, 'x')
        await s.me.no('EINVAL', 'ftruncate', fd, 0)
        await s.me.no('EISDIR', 'truncate', 'd', 0)
        await s.me.ok('fsync', fd)
        await s.me.ok('fdatasync', fd)
      },
    },
    {
      clause: 'S-27',
      name: 'O_DIRECTORY, O_NOFOLLOW and O_PATH of every kind',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, kind)
          await s.me.expect(
            kind === 'directory' ? null : kind === 'symlink' ? 'ENOENT' : 'ENOTDIR',
            'open',
            kind,
            'RDONLY|DIRECTORY|NONBLOCK',
          )
          const by = await s.me.ok('open', kind, 'PATH|NOFOLLOW')
          const { ino } = await s.me.stat(kind)
          await s.me.has({ ino, type: kind }, 'fstat', by)
          await s.me.no('EBADF', 'read', by, 1)
          await s.me.no('EBADF', 'fchmod', by, 0o644)
        }
        await s.me.no('ELOOP', 'open', 'symlink', 'RDONLY|NOFOLLOW')
        await s.me.no('ELOOP', 'open', 'symlink', 'WRONLY|CREAT|NOFOLLOW', 0o644)
        await s.me.ok('open', 'file', 'RDWR|NOFOLLOW')
      },
    },
    {
      clause: 'S-27',
      name: 'O_CREAT goes through a dangling link, O_EXCL does not; O_TRUNC empties',
      run: async (s) => {
        await s.me.do('symlink', 'f', 'l')
        await s.me.no('EEXIST', 'open', 'l', 'RDWR|CREAT|EXCL', 0o644)
        await s.me.ok('open', 'l', 'RDWR|CREAT', 0o640)
        await s.me.has({ type: 'file', mode: 0o640, size: 0 }, 'lstat', 'f')
        await s.me.write('f', 'bytes')
        const { ino } = await s.me.stat('f')
        await s.me.ok('open', 'f', 'RDWR|CREAT', 0o777)
        await s.me.has({ ino, size: 5, mode: 0o640 }, 'stat', 'f')
        await s.me.ok('open', 'l', 'RDWR|CREAT|TRUNC', 0o777)
        await s.me.has({ ino, size: 0, mode: 0o640, blocks: 0 }, 'stat', 'f')
        await s.me.no('EINVAL', 'open', 'f', 'RDWR|TMPFILE|CREAT', 0o600)
      },
    },
    {
      clause: 'S-14',
      name: 'O_APPEND: two processes, and nothing is overwritten',
      run: async (s) => {
        await s.me.write('f')
        const word = 'x'.repeat(100)
        const times = 300
        const both = [s.me.ok('append', 'f', word, times), s.twin.ok('append', 'f', word.replaceAll('x', 'y'), times)]
        await Promise.all(both)
        const bytes = await s.me.read('f')
        s.same('length', bytes.length, 2 * times * 100)
        s.yes('whole words', /^(x{100}|y{100})+$/.test(bytes))
        const fd = await s.me.do('open', 'f', 'RDWR|APPEND')
        await s.me.is(0, 'lseek', fd, 0, 'SET')
        await s.me.is(3, 'write', fd, 'end')
        await s.me.is(60_003, 'lseek', fd, 0, 'CUR')
        await s.me.is('end', 'pread', fd, 10, 60_000)
        // Linux: pwrite appends too.
        await s.me.is(4, 'pwrite', fd, 'more', 0)
        await s.me.is('endmore', 'pread', fd, 10, 60_000)
      },
    },
    {
      clause: 'S-3',
      name: 'O_TMPFILE: no name, until a link gives it one',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        const before = await s.me.stat('d')
        const fd = await s.me.ok('open', 'd', 'RDWR|TMPFILE', 0o640)
        await s.me.has({ type: 'file', nlink: 0, mode: 0o640, size: 0, uid: s.me.uid, gid: s.me.gid }, 'fstat', fd)
        await s.me.is(5, 'write', fd, 'bytes')
        s.same('the folder', await s.me.stat('d'), before)
        s.same('its names', (await s.me.do<unknown[]>('scan', 'd')).length, 2)
        await s.me.ok('linkfd', fd, 'd/f')
        const { ino } = await s.me.do<Stat>('fstat', fd)
        await s.me.has({ ino, nlink: 1, size: 5 }, 'stat', 'd/f')
        await s.me.no('EEXIST', 'linkfd', fd, 'd/f')
        await s.me.ok('linkfd', fd, 'g')
        await s.me.has({ nlink: 2 }, 'fstat', fd)
        s.same('bytes', await s.me.read('g'), 'bytes')
        const never = await s.me.ok('open', 'd', 'RDWR|TMPFILE|EXCL', 0o600)
        await s.me.no('ENOENT', 'linkfd', never, 'd/h')
        await s.me.no(['EINVAL', 'EISDIR'], 'open', 'd', 'RDONLY|TMPFILE', 0o600)
        await s.me.no('ENOTDIR', 'open', 'g', 'RDWR|TMPFILE', 0o600)
        await s.me.no('ENOENT', 'open', 'none', 'RDWR|TMPFILE', 0o600)
      },
    },
    {
      clause: 'S-3',
      name: 'a file without a name: everything but a new name goes on',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.write('d/f', 'bytes')
        const fd = await s.me.do('open', 'd/f', 'RDWR')
        const far = await s.twin.do('open', 'd/f', 'RDWR')
        await s.me.ok('unlink', 'd/f')
        await s.me.ok('rmdir', 'd')
        await s.me.has({ nlink: 0, size: 5 }, 'fstat', fd)
        await s.me.is(10, 'pwrite', fd, 'more bytes', 100_000)
        await s.twin.has({ nlink: 0, size: 100_010 }, 'fstat', far)
        await s.twin.is('more bytes', 'pread', far, 20, 100_000)
        await s.me.ok('ftruncate', fd, 200_000)
        await s.me.ok('fallocate', fd, '', 0, 300_000)
        await s.me.has({ size: 300_000 }, 'fstat', fd)
        await s.me.ok('fchmod', fd, 0o600)
        await s.me.ok('utimens', fd, [1, 2], [3, 4])
        await s.me.ok('setxattr', fd, 'user.a', 'value')
        await s.me.is('value', 'getxattr', fd, 'user.a')
        await s.me.ok('fsync', fd)
        await s.me.has({ mode: 0o600, mtime: '3000000004', nlink: 0 }, 'fstat', fd)
        await s.me.no('ENOENT', 'linkfd', fd, 'again')
        await s.me.do('close', fd)
        await s.twin.is('bytes', 'pread', far, 5, 0)
      },
    },
    {
      clause: 'S-27',
      name: 'a program that runs is not written, and one that is written does not run',
      run: async (s) => {
        await s.me.ok('copy_program', '/bin/sleep', 'program')
        const pid = await s.me.ok('spawn', './program', '100')
        for (const flags of ['WRONLY', 'RDWR', 'WRONLY|TRUNC']) await s.me.no('ETXTBSY', 'open', 'program', flags)
        await s.me.no('ETXTBSY', 'truncate', 'program', 0)
        await s.me.ok('open', 'program', 'RDONLY')
        await s.me.ok('rename', 'program', 'moved')
        await s.me.ok('unlink', 'moved')
        await s.me.ok('end', pid)
        await s.me.ok('copy_program', '/bin/true', 'other')
        await s.me.is(0, 'execute', './other')
        const fd = await s.me.do('open', 'other', 'WRONLY')
        await s.me.no('ETXTBSY', 'execute', './other')
        await s.me.do('close', fd)
        await s.me.is(0, 'execute', './other')
      },
    },
    {
      clause: 'S-28',
      name: 'what a process may write at most is kept: short, then EFBIG',
      run: async (s) => {
        await s.me.write('f')
        const fd = await s.me.do('open', 'f', 'RDWR')
        await s.me.do('limit_file_size', 10_000)
        await s.me.is(10, 'pwrite', fd, 'x'.repeat(100), 9_990)
        await s.me.no('EFBIG', 'pwrite', fd, 'x', 10_000)
        await s.me.no('EFBIG', 'pwrite', fd, 'x', 50_000)
        await s.me.no('EFBIG', 'ftruncate', fd, 10_001)
        await s.me.no('EFBIG', 'truncate', 'f', 10_001)
        await s.me.no('EFBIG', 'fallocate', fd, '', 0, 10_001)
        await s.me.ok('fallocate', fd, 'KEEP_SIZE', 0, 9_000)
        await s.me.has({ size: 10_000 }, 'stat', 'f')
        await s.me.do('limit_file_size', -1)
        await s.me.is(1, 'pwrite', fd, 'x', 50_000)
      },
    },
    {
      clause: 'S-14',
      name: 'a file may have 4 PiB and not a byte more',
      run: async (s) => {
        await s.me.write('f')
        const fd = await s.me.do('open', 'f', 'RDWR')
        const most = 4_096 * TIB
        await s.me.ok('ftruncate', fd, most)
        await s.me.has({ size: most, blocks: 0 }, 'stat', 'f')
        await s.me.is(1, 'pwrite', fd, 'z', most - 1)
        await s.me.is('z', 'pread', fd, 10, most - 1)
        await s.me.is('', 'pread', fd, 10, most)
        for (const beyond of [most + 1, 2 * most, 2 ** 53 - 1]) {
          await s.me.no('EFBIG', 'ftruncate', fd, beyond)
          await s.me.no('EFBIG', 'truncate', 'f', beyond)
          await s.me.no('EFBIG', 'pwrite', fd, 'x', beyond)
          await s.me.no('EFBIG', 'fallocate', fd, '', beyond, 1)
          await s.me.is('', 'pread', fd, 10, beyond)
          await s.me.no('ENXIO', 'lseek', fd, beyond, 'DATA')
          await s.me.no('ENXIO', 'lseek', fd, beyond, 'HOLE')
        }
        await s.me.has({ size: most }, 'stat', 'f')
      },
    },
    {
      clause: 'S-28',
      name: 'offsets of 63 bits are beyond every file, not nonsense',
      run: async (s) => {
        await s.me.write('f', 'bytes')
        const fd = await s.me.do('open', 'f', 'RDWR|DIRECT')
        for (const power of ['62', '63 - 8192']) {
          await s.me.no('EFBIG', 'far', 'ftruncate', fd, power)
          await s.me.no('EFBIG', 'far', 'pwrite', fd, power)
          await s.me.no('EFBIG', 'far', 'fallocate', fd, power)
          await s.me.no('ENXIO', 'far', 'seek_data', fd, power)
          await s.me.no('ENXIO', 'far', 'seek_hole', fd, power)
          await s.me.is('', 'far', 'pread', fd, power)
        }
        await s.me.has({ size: 5 }, 'stat', 'f')
      },
    },
    {
      clause: 'S-27',
      name: 'O_DIRECT, O_SYNC and O_DSYNC read and write the same bytes as others',
      run: async (s) => {
        const page = 'd'.repeat(4_096)
        const fd = await s.me.ok('open', 'f', 'RDWR|CREAT|DIRECT', 0o644)
        await s.me.is(4_096, 'pwrite_direct', fd, page, 4_096)
        await s.me.has({ size: 8_192 }, 'stat', 'f')
        const plain = await s.me.do('open', 'f', 'RDWR')
        await s.me.is(page, 'pread', plain, 4_096, 4_096)
        await s.me.is(6, 'pwrite', plain, 'cached', 4_100)
        await s.me.is('ddddcacheddd', 'pread_direct', fd, 12, 4_096)
        await s.me.is(4_096, 'pwrite_direct', fd, page.replaceAll('d', 'e'), 4_096)
        await s.me.is('eeeeeeee', 'pread', plain, 8, 4_098)
        await s.me.is('', 'pread_direct', fd, 4_096, 8_192)
        for (const flags of ['WRONLY|SYNC', 'WRONLY|DSYNC', 'WRONLY|DIRECT|SYNC']) {
          const sync = await s.me.ok('open', 'f', flags)
          await s.me.is(4_096, 'pwrite_direct', sync, page, 0)
        }
        s.same('all of it', (await s.me.read('f')).slice(0, 4_100), `${page}eeee`)
      },
    },
    {
      clause: 'S-27',
      name: 'descriptors of one file see each other at once, whoever has them',
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f', 'first', 0o666)
        await s.me.do('chmod', 'd/f', 0o666)
        const hands = [s.me, s.twin, s.other, s.root]
        const fds = []
        for (const one of hands) fds.push(await one.do('open', 'd/f', 'RDWR'))
        for (const [i, one] of hands.entries()) {
          await one.is(2, 'pwrite', fds[i] as number, `${i}!`, i * 1_000)
          for (const [j, reader] of hands.entries()) {
            await reader.is(`${i}!`, 'pread', fds[j] as number, 2, i * 1_000)
            await reader.has({ size: Math.max(5, i * 1_000 + 2) }, 'fstat', fds[j] as number)
          }
        }
      },
    },
  ],
}
