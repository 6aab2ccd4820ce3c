/** What an open file is to those who share it, calls of several buffers, deep trees, and what open(2) leaves to flags set later. */
import { openFolder } from './kinds.js'
import type { Family } from './suite.js'

const DEEP = 600

export const descriptors: Family = {
  name: 'descriptors',
  cases: [
    {
      clause: 'S-27',
      name: 'O_APPEND is switched on and off while a file is open',
      run: async (s) => {
        await s.me.write('f', '0123456789')
        const fd = await s.me.do('open', 'f', 'RDWR')
        await s.me.ok('append_mode', fd, true)
        await s.me.is(1, 'pwrite', fd, 'a', 0)
        await s.me.is(1, 'write', fd, 'b')
        await s.me.is(1, 'pwrite_once', fd, 'e', 1, 'APPEND')
        await s.me.ok('append_mode', fd, false)
        await s.me.is(1, 'pwrite_once', fd, 'f', 1, 'APPEND')
        await s.me.is(1, 'pwrite', fd, 'c', 0)
        await s.me.do('lseek', fd, 5, 'SET')
        await s.me.is(1, 'write', fd, 'd')
        s.same('bytes', await s.me.read('f'), 'c1234d6789abef')
      },
    },
    {
      clause: 'S-14',
      name: 'duplicates share their position, other descriptors have their own',
      run: async (s) => {
        await s.me.write('f', '0123456789')
        const fd = await s.me.do('open', 'f', 'RDWR')
        const twin = await s.me.do('dup', fd)
        const other = await s.me.do('open', 'f', 'RDWR')
        await s.me.is('012', 'read', fd, 3)
        await s.me.is('345', 'read', twin, 3)
        await s.me.is('01', 'read', other, 2)
        await s.me.is(2, 'write', twin, 'XY')
        await s.me.is(8, 'lseek', fd, 0, 'CUR')
        await s.me.is('23', 'pread', fd, 2, 2)
        await s.me.is(8, 'lseek', twin, 0, 'CUR')
        await s.me.is(20, 'lseek', fd, 10, 'END')
        await s.me.is('', 'read', twin, 5)
        await s.me.is(1, 'write', twin, 'Z')
        s.same('bytes', await s.me.read('f'), `012345XY89${'\0'.repeat(10)}Z`)
      },
    },
    {
      clause: 'S-14',
      name: 'several buffers at once are written and read as one',
      run: async (s) => {
        const fd = await s.me.do('open', 'f', 'RDWR|CREAT', 0o644)
        await s.me.is(9, 'writev', fd, 'one', '', 'two', 'six')
        await s.me.is('onetwosix', 'preadv', fd, 0, 2, 5, 10)
        await s.me.is('six', 'preadv', fd, 6, 1, 1, 1, 1)
        const to = await s.me.do('open', 'g', 'RDWR|CREAT', 0o644)
        await s.me.is(5, 'sendfile', to, fd, 2, 5)
        s.same('sent', await s.me.read('g'), 'etwos')
      },
    },
    {
      clause: 'S-27',
      name: 'O_NOATIME is for the owner',
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f')
        await s.me.ok('open', 'd/f', 'RDONLY|NOATIME')
        await s.other.no('EPERM', 'open', 'd/f', 'RDONLY|NOATIME')
        await s.root.ok('open', 'd/f', 'RDONLY|NOATIME')
      },
    },
    {
      clause: 'S-21',
      name: `trees ${DEEP} folders deep: deeper than a path can say, moved and left`,
      run: async (s) => {
        const name = 'folder-in-a-folder'
        for (let i = 0; i < DEEP; i++) {
          await s.me.do('mkdir', name, 0o755)
          await s.me.do('chdir', name)
        }
        await s.me.write('bottom', 'here')
        await s.me.has({ size: 4 }, 'stat', 'bottom')
        await s.me.no(['ENAMETOOLONG', 'ERANGE', 'ENOENT'], 'stat', `${`${name}/`.repeat(DEEP)}bottom`)
        await s.twin.ok('rename', name, 'moved')
        await s.me.has({ size: 4, nlink: 1 }, 'stat', 'bottom')
        await s.twin.no('EINVAL', 'rename', 'moved', `moved/${name}/${name}/x`)
        await s.me.ok('unlink', 'bottom')
        for (let i = 0; i < DEEP - 1; i++) {
          await s.me.do('chdir', '..')
          await s.me.do('rmdir', name)
        }
        await s.me.has({ nlink: 2 }, 'stat', '.')
        await s.me.ok('chdir', '..')
        await s.me.ok('rmdir', 'moved')
      },
    },
    {
      clause: 'S-7',
      name: 'reserving more than the network has is refused at once',
      run: async (s) => {
        const fd = await s.me.do('open', 'f', 'RDWR|CREAT', 0o644)
        const { bfree, frsize } = await s.me.do<{ bfree: number; frsize: number }>('statvfs', '.')
        await s.me.no('ENOSPC', 'fallocate', fd, '', 0, bfree * frsize + 2 ** 30)
        await s.me.no('ENOSPC', 'fallocate', fd, 'KEEP_SIZE', 0, bfree * frsize + 2 ** 30)
        await s.me.has({ size: 0, blocks: 0 }, 'fstat', fd)
        await s.me.ok('ftruncate', fd, bfree * frsize + 2 ** 30)
        await s.me.has({ blocks: 0 }, 'fstat', fd)
      },
    },
    {
      clause: 'S-9',
      name: 'a capability goes with the first change of bytes or owner',
      run: async (s) => {
        // Of version 2: cap_net_raw, permitted and effective.
        const capability = `\x01\0\0\x02\0\x20\0\0${'\0'.repeat(12)}`
        const changes = [
          ['pwrite', (fd: number) => s.me.ok('pwrite', fd, 'x', 0)],
          ['ftruncate', (fd: number) => s.me.ok('ftruncate', fd, 1)],
          ['fallocate', (fd: number) => s.me.ok('fallocate', fd, '', 0, 100)],
          ['fchown', (fd: number) => s.me.ok('fchown', fd, -1, s.me.gid)],
        ] as const
        for (const [name, change] of changes) {
          await s.me.write(name, 'program', 0o755)
          await s.root.ok('setxattr', name, 'security.capability', capability)
          await s.root.is(capability, 'getxattr', name, 'security.capability')
          await s.root.is(['security.capability'], 'listxattr', name)
          await change(await s.me.do('open', name, 'RDWR'))
          await s.root.no('ENODATA', 'getxattr', name, 'security.capability')
          await s.root.is([], 'listxattr', name)
        }
      },
    },
  ],
}
