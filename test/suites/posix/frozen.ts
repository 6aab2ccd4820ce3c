/** A drive that takes no changes for a while: each is refused as EROFS, what was open goes on being read, and then all is as before. */
import type { Argument } from './hand.js'
import type { Actor, Stat } from './scene.js'
import type { Family } from './suite.js'

type Call = readonly [operation: string, ...args: Argument[]]

const CHANGES: readonly Call[] = [
  ['open', 'f', 'WRONLY'],
  ['open', 'f', 'RDWR'],
  ['open', 'f', 'RDONLY|TRUNC'],
  ['open', 'new', 'RDONLY|CREAT', 0o644],
  ['open', 'new', 'WRONLY|CREAT|EXCL', 0o644],
  ['open', 'd', 'RDWR|TMPFILE', 0o600],
  ['mkdir', 'new', 0o755],
  ['mknod', 'new', 'fifo', 0o644],
  ['mknod', 'new', 'file', 0o644],
  ['symlink', 'to', 'new'],
  ['link', 'f', 'new'],
  ['unlink', 'f'],
  ['unlink', 'l'],
  ['rmdir', 'd'],
  ['rename', 'f', 'new'],
  ['rename', 'f', 'g'],
  ['rename', 'd', 'new'],
  ['rename2', 'f', 'new', 'NOREPLACE'],
  ['rename2', 'f', 'd', 'EXCHANGE'],
  ['chmod', 'f', 0o600],
  ['chmod', 'd', 0o700],
  ['chown', 'f', -1, -1],
  ['lchown', 'l', -1, -1],
  ['truncate', 'f', 1],
  ['truncate', 'f', 100],
  ['utimens', 'f', 'now', 'now'],
  ['utimens', 'f', [1, 0], 'omit'],
  ['utimens', 'l', [1, 0], [1, 0], false],
  ['setxattr', 'f', 'user.b', 'v'],
  ['setxattr', 'f', 'user.a', 'v', 'REPLACE'],
  ['removexattr', 'f', 'user.a'],
]
/** On a descriptor that was opened for writing before. */
const DESCRIPTOR_CHANGES: readonly (readonly [operation: string, args: readonly Argument[]])[] = [
  ['pwrite', ['x', 0]],
  ['pwrite', ['x', 100]],
  ['ftruncate', [1]],
  ['fallocate', ['', 0, 100]],
  ['fallocate', ['PUNCH_HOLE|KEEP_SIZE', 0, 1]],
  ['fchmod', [0o600]],
  ['utimens', ['now', 'now']],
  ['setxattr', ['user.c', 'v']],
]

async function reads(me: Actor, fd: number): Promise<void> {
  await me.is('bytes', 'pread', fd, 9, 0)
  await me.has({ size: 5 }, 'stat', 'f')
  await me.is('f', 'readlink', 'l')
  await me.is('v', 'getxattr', 'f', 'user.a')
  await me.is(['user.a'], 'listxattr', 'f')
  await me.no('ENOENT', 'stat', 'new')
  await me.ok('open', 'f', 'RDONLY')
  await me.ok('open', 'f', 'RDONLY|CREAT', 0o644)
  await me.ok('open', 'd', 'RDONLY|DIRECTORY')
  await me.ok('open', 'fifo', 'RDWR')
  await me.ok('statvfs', '.')
  await me.no('EEXIST', 'mkdir', 'd', 0o755)
  await me.no('ENOENT', 'unlink', 'new')
}

export const frozen: Family = {
  name: 'read-only',
  cases: [
    {
      clause: 'S-17',
      name: 'while a drive takes no changes, each is refused (EROFS) and reading goes on',
      run: async (s) => {
        const { setReadOnly } = s
        if (setReadOnly === undefined) return
        const { me } = s
        await me.write('f', 'bytes')
        await me.write('g')
        await me.do('setxattr', 'f', 'user.a', 'v')
        await me.do('symlink', 'f', 'l')
        await me.do('mkdir', 'd', 0o755)
        await me.do('mknod', 'fifo', 'fifo', 0o600)
        const fd = await me.do('open', 'f', 'RDWR')
        const before = [await me.stat('f'), await me.stat('.'), await me.stat('d')]
        await setReadOnly(true)
        try {
          for (const call of CHANGES) await me.no('EROFS', ...call)
          for (const [operation, args] of DESCRIPTOR_CHANGES) await me.no('EROFS', operation, fd, ...args)
          await reads(me, fd)
        } finally {
          await setReadOnly(false)
        }
        s.same('all is as it was', [await me.stat('f'), await me.stat('.'), await me.stat('d')], before)
        await me.is(1, 'pwrite', fd, 'B', 0)
        await me.ok('rename', 'f', 'new')
        s.same('goes on', [(await me.do<Stat>('fstat', fd)).size, await me.read('new')], [5, 'Bytes'])
      },
    },
  ],
}
