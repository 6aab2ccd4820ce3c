/** Extended attributes: names, sizes, kinds of things, and who may. */
import { KINDS, make, openFolder } from './kinds.js'
import type { Scene } from './scene.js'
import type { Family } from './suite.js'

const KIB = 1_024

async function several(s: Scene, where: string | number, follow: boolean): Promise<void> {
  const list = () => s.me.do<string[]>('listxattr', where, 65_536, follow)
  s.same('none at first', await list(), [])
  await s.me.no('ENODATA', 'getxattr', where, 'user.a', 100, follow)
  await s.me.no('ENODATA', 'setxattr', where, 'user.a', 'v', 'REPLACE', follow)
  await s.me.no('ENODATA', 'setxattr', where, 'user.a', 'v', 'CREATE|REPLACE', follow)
  await s.me.ok('setxattr', where, 'user.a', 'value', 'CREATE', follow)
  await s.me.no('EEXIST', 'setxattr', where, 'user.a', 'v', 'CREATE|REPLACE', follow)
  await s.me.no('EEXIST', 'setxattr', where, 'user.a', 'v', 'CREATE', follow)
  await s.me.is('value', 'getxattr', where, 'user.a', 100, follow)
  await s.me.is(5, 'getxattr', where, 'user.a', 0, follow)
  await s.me.is('value', 'getxattr', where, 'user.a', 5, follow)
  await s.me.no('ERANGE', 'getxattr', where, 'user.a', 4, follow)
  await s.me.ok('setxattr', where, 'user.a', 'longer value', 'REPLACE', follow)
  await s.me.ok('setxattr', where, 'user.empty', '', '', follow)
  await s.me.is('', 'getxattr', where, 'user.empty', 10, follow)
  await s.me.is(0, 'getxattr', where, 'user.empty', 0, follow)
  await s.me.ok('setxattr', where, 'user.caf\xe9\n', '\x00\xff\x00', '', follow)
  await s.me.is('\x00\xff\x00', 'getxattr', where, 'user.caf\xe9\n', 10, follow)
  s.same('listed', await list(), ['user.a', 'user.caf\xe9\n', 'user.empty'])
  const size = 'user.a'.length + 'user.caf\xe9\n'.length + 'user.empty'.length + 3
  await s.me.is(size, 'listxattr', where, 0, follow)
  await s.me.no('ERANGE', 'listxattr', where, size - 1, follow)
  await s.me.ok('removexattr', where, 'user.a')
  await s.me.no('ENODATA', 'removexattr', where, 'user.a')
  await s.me.no('ENODATA', 'getxattr', where, 'user.a', 100, follow)
  s.same('listed', await list(), ['user.caf\xe9\n', 'user.empty'])
}

const ACLS = ['system.posix_acl_access', 'system.posix_acl_default', 'system.nothing'] as const
/** An access list of version 2: user::rw-, group::r--, other::r--. */
const ACL = '\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff'

export const xattrs: Family = {
  name: 'extended attributes',
  cases: [
    ...KINDS.map((kind) => ({
      clause: 'S-6' as const,
      name: `user.* on a ${kind}`,
      run: async (s: Scene) => {
        await make(s, kind, 'x')
        if (kind === 'file' || kind === 'directory') return several(s, 'x', true)
        await s.me.no('EPERM', 'setxattr', 'x', 'user.a', 'v', '', false)
        await s.me.no(['ENODATA', 'EPERM'], 'getxattr', 'x', 'user.a', 100, false)
        await s.me.no(['ENODATA', 'EPERM'], 'lremovexattr', 'x', 'user.a')
        await s.me.is([], 'listxattr', 'x', 1_000, false)
      },
    })),
    {
      clause: 'S-6',
      name: 'by descriptor, by every name, and after the last name',
      run: async (s) => {
        await s.me.write('f')
        const fd = await s.me.do('open', 'f', 'RDONLY')
        await several(s, fd, true)
        await s.me.do('link', 'f', 'g')
        await s.me.ok('setxattr', 'g', 'user.by', 'g')
        await s.me.is('g', 'getxattr', fd, 'user.by')
        await s.twin.is('g', 'getxattr', 'f', 'user.by')
        await s.me.do('rename', 'f', 'h')
        await s.me.is('g', 'getxattr', 'h', 'user.by')
        await s.me.do('unlink', 'g')
        await s.me.do('unlink', 'h')
        await s.me.is('g', 'getxattr', fd, 'user.by')
        await s.me.write('f')
        await s.me.is([], 'listxattr', 'f')
      },
    },
    {
      clause: 'S-6',
      name: 'names to 255 bytes, values to 64 KiB, all together to 256 KiB',
      run: async (s) => {
        await s.me.write('f')
        const long = `user.${'n'.repeat(250)}`
        await s.me.ok('setxattr', 'f', long, 'v')
        await s.me.is('v', 'getxattr', 'f', long)
        await s.me.no('ERANGE', 'setxattr', 'f', `${long}n`, 'v')
        await s.me.no('ERANGE', 'getxattr', 'f', `${long}n`)
        await s.me.ok('removexattr', 'f', long)
        const value = 'v'.repeat(64 * KIB)
        for (const name of ['a', 'b', 'c']) await s.me.ok('setxattr', 'f', `user.${name}`, value)
        await s.me.is(64 * KIB, 'getxattr', 'f', 'user.c', 0)
        await s.me.is(value, 'getxattr', 'f', 'user.c')
        await s.me.no('E2BIG', 'setxattr', 'f', 'user.d', `${value}v`)
        await s.me.no('ENOSPC', 'setxattr', 'f', 'user.d', value)
        await s.me.ok('setxattr', 'f', 'user.d', value.slice(100))
        await s.me.ok('removexattr', 'f', 'user.a')
        await s.me.ok('setxattr', 'f', 'user.e', value.slice(100))
        await s.me.is(['user.b', 'user.c', 'user.d', 'user.e'], 'listxattr', 'f')
      },
    },
    {
      clause: 'S-6',
      name: 'user.* follows the permissions of its file',
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f')
        await s.me.do('setxattr', 'd/f', 'user.a', 'mine')
        await s.me.do('chmod', 'd/f', 0o644)
        await s.other.is('mine', 'getxattr', 'd/f', 'user.a')
        await s.other.no('EACCES', 'setxattr', 'd/f', 'user.a', 'x')
        await s.other.no('EACCES', 'removexattr', 'd/f', 'user.a')
        await s.me.do('chmod', 'd/f', 0o642)
        await s.other.no('EACCES', 'getxattr', 'd/f', 'user.a')
        await s.other.ok('setxattr', 'd/f', 'user.a', 'theirs')
        await s.me.is('theirs', 'getxattr', 'd/f', 'user.a')
        await s.me.do('chmod', 'd', 0o1777)
        await s.other.no('EPERM', 'setxattr', 'd', 'user.a', 'x')
        await s.me.ok('setxattr', 'd', 'user.a', 'x')
      },
    },
    {
      clause: 'S-6',
      name: 'trusted.* is for root alone, on everything',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, kind)
          await s.root.ok('setxattr', kind, 'trusted.a', 'root', '', false)
          await s.root.is('root', 'getxattr', kind, 'trusted.a', 100, false)
          await s.root.is(['trusted.a'], 'listxattr', kind, 1_000, false)
          await s.me.is(s.privileged ? ['trusted.a'] : [], 'listxattr', kind, 1_000, false)
          if (s.privileged) continue
          await s.me.no('ENODATA', 'getxattr', kind, 'trusted.a', 100, false)
          await s.me.no('EPERM', 'setxattr', kind, 'trusted.b', 'v', '', false)
          await s.me.no('EPERM', 'lremovexattr', kind, 'trusted.a')
        }
      },
    },
    {
      clause: 'S-6',
      name: 'access lists and other system.* are not offered',
      run: async (s) => {
        await s.me.write('f')
        await s.me.do('mkdir', 'd', 0o755)
        for (const path of ['f', 'd']) {
          for (const name of ACLS) {
            await s.me.no('EOPNOTSUPP', 'getxattr', path, name)
            // Only folders have defaults, whatever the file system: Linux says so without asking it.
            if (path === 'f' && name.endsWith('default')) continue
            await s.me.no('EOPNOTSUPP', 'setxattr', path, name, ACL)
            await s.me.no('EOPNOTSUPP', 'removexattr', path, name)
          }
          await s.me.is([], 'listxattr', path)
        }
        for (const name of ['none.a', 'User.a', 'a']) await s.me.no('EOPNOTSUPP', 'setxattr', 'f', name, 'v')
        for (const name of ['user.', 'trusted.']) await s.root.no('EINVAL', 'setxattr', 'f', name, 'v')
      },
    },
    {
      clause: 'S-6',
      name: "security.* is root's to set and anybody's to read",
      run: async (s) => {
        await s.me.write('f')
        await s.root.ok('setxattr', 'f', 'security.test', 'label')
        await s.me.is('label', 'getxattr', 'f', 'security.test')
        await s.me.is(['security.test'], 'listxattr', 'f')
        await s.me.expect(s.privileged ? null : 'EPERM', 'setxattr', 'f', 'security.test', 'x')
        await s.me.expect(s.privileged ? null : 'EPERM', 'removexattr', 'f', 'security.test')
      },
    },
    {
      clause: 'S-18',
      name: 'the virtual attributes are there, are not listed and cannot be set',
      run: async (s) => {
        await s.me.write('f')
        await s.me.is('local', 'getxattr', 'f', 'user.shardrive.state')
        await s.me.is([], 'listxattr', 'f')
        await s.me.no('EPERM', 'setxattr', 'f', 'user.shardrive.state', 'stored')
        await s.me.no('EPERM', 'removexattr', 'f', 'user.shardrive.state')
        await s.me.no('ENODATA', 'getxattr', 'f', 'user.shardrive.other')
      },
    },
  ],
}
