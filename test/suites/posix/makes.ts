/** Names that come to be: what is in the way, whose they are, and what they are. */
import type { Argument } from './hand.js'
import { KINDS, make, openFolder } from './kinds.js'
import type { Scene } from './scene.js'
import { type Family, SECOND_GROUP } from './suite.js'

type Call = readonly [operation: string, ...args: Argument[]]

const MAKERS: readonly ((p: string) => Call)[] = [
  (p) => ['open', p, 'RDWR|CREAT|EXCL', 0o644],
  (p) => ['mkdir', p, 0o755],
  (p) => ['mknod', p, 'file', 0o644],
  (p) => ['mknod', p, 'fifo', 0o644],
  (p) => ['mknod', p, 'socket', 0o644],
  (p) => ['symlink', 'to', p],
  (p) => ['link', 'f', p],
  (p) => ['rename2', 'f', p, 'NOREPLACE'],
]

/** Those with a mode, and what they make. */
const MODE_MAKERS: readonly (readonly [type: string, call: (p: string, mode: number) => Call])[] = [
  ['file', (p, mode) => ['open', p, 'RDWR|CREAT', mode]],
  ['file', (p, mode) => ['mknod', p, 'file', mode]],
  ['directory', (p, mode) => ['mkdir', p, mode]],
  ['fifo', (p, mode) => ['mknod', p, 'fifo', mode]],
  ['socket', (p, mode) => ['mknod', p, 'socket', mode]],
]
const UMASKS = [0o000, 0o022, 0o077, 0o777]
const MODES = [0o777, 0o644, 0o1751, 0o000]

async function expectFresh(s: Scene, type: string, path: string, mode: number): Promise<void> {
  const owner = { uid: s.me.uid, gid: s.me.gid }
  await s.me.has({ type, mode, ...owner, nlink: type === 'directory' ? 2 : 1, major: 0 }, 'lstat', path)
  const { atime, mtime, ctime } = await s.me.stat(path)
  s.same(`${path}: times of one moment`, [atime, mtime], [ctime, ctime])
}

const DEVICES = [
  [0, 0],
  [1, 3],
  [8, 17],
  [255, 255],
  [4_095, 1_048_575],
] as const

export const makes: Family = {
  name: 'making',
  cases: [
    ...KINDS.map((kind) => ({
      clause: 'S-22' as const,
      name: `where there is a ${kind}, nothing is made`,
      run: async (s: Scene) => {
        await make(s, kind, 'there')
        await s.me.write('f')
        const before = await s.me.stat('there')
        for (const call of MAKERS) await s.me.no('EEXIST', ...call('there'))
        s.same('what was there', await s.me.stat('there'), before)
        await s.me.has({ nlink: 1 }, 'stat', 'f')
      },
    })),
    {
      clause: 'S-22',
      name: 'dots exist already',
      run: async (s) => {
        await s.me.write('f')
        await s.me.do('mkdir', 'd', 0o755)
        for (const path of ['.', '..', '../..', 'd/.'])
          for (const call of MAKERS) {
            const [operation] = call(path)
            await s.me.no(
              operation === 'rename2' ? ['EEXIST', 'EBUSY'] : operation === 'open' ? ['EEXIST', 'EISDIR'] : 'EEXIST',
              ...call(path),
            )
          }
      },
    },
    ...MODE_MAKERS.map(([type, call], i) => ({
      clause: 'S-22' as const,
      name: `${call('f', 0)[0]} makes a ${type} of the caller, with its mode less the umask (${i})`,
      run: async (s: Scene) => {
        for (const umask of UMASKS) {
          await s.me.do('umask', umask)
          for (const mode of MODES) {
            const path = `p${umask}-${mode}`
            await s.me.ok(...call(path, mode))
            await expectFresh(s, type, path, mode & ~umask & 0o1777)
          }
        }
      },
    })),
    {
      clause: 'S-22',
      name: 'a symbolic link has every permission and the length of where it leads',
      run: async (s) => {
        await s.me.do('umask', 0o077)
        for (const target of ['x', 'a/b/../c', '/no such\nplace', 'caf\xe9', 't'.repeat(4_095)]) {
          await s.me.ok('symlink', target, 'link')
          await s.me.has(
            { type: 'symlink', mode: 0o777, uid: s.me.uid, gid: s.me.gid, size: target.length },
            'lstat',
            'link',
          )
          await s.me.is(target, 'readlink', 'link')
          await s.me.ok('unlink', 'link')
        }
        await s.me.no('ENAMETOOLONG', 'symlink', 't'.repeat(4_096), 'link')
        await s.me.no('ENOENT', 'symlink', '', 'link')
        await s.me.write('f')
        await s.me.no('EINVAL', 'readlink', 'f')
        await s.me.no('EINVAL', 'readlink', '.')
      },
    },
    {
      clause: 'S-5',
      name: 'devices keep their numbers, and only root makes them',
      run: async (s) => {
        for (const kind of ['char', 'block'] as const) {
          for (const [major, minor] of DEVICES) {
            const path = `${kind}-${major}`
            if (!s.privileged && !(kind === 'char' && major === 0)) {
              await s.me.no('EPERM', 'mknod', path, kind, 0o644, major, minor)
              continue
            }
            await s.me.ok('mknod', path, kind, 0o640, major, minor)
            await s.me.has({ type: kind, mode: 0o640, major, minor, size: 0, nlink: 1 }, 'lstat', path)
          }
        }
        await s.me.no('EPERM', 'mknod', 'd', 'directory', 0o755)
        await s.me.no(s.privileged ? ['EINVAL', 'EPERM'] : ['EINVAL', 'EPERM'], 'mknod', 'l', 'symlink', 0o755)
      },
    },
    {
      clause: 'S-5',
      name: 'fifos and sockets work between processes, devices only as nodes',
      run: async (s) => {
        await s.me.do('mknod', 'fifo', 'fifo', 0o600)
        await s.me.no('ENXIO', 'open', 'fifo', 'WRONLY|NONBLOCK')
        const far = await s.twin.ok('open', 'fifo', 'RDWR')
        const near = await s.me.ok('open', 'fifo', 'WRONLY|NONBLOCK')
        await s.me.is(4, 'write', near, 'word')
        await s.twin.is('word', 'read', far, 9)
        await s.me.no('ESPIPE', 'lseek', near, 0, 'SET')
        await s.me.ok('bind', 'socket')
        await s.me.has({ type: 'socket' }, 'lstat', 'socket')
        await s.me.no('ENXIO', 'open', 'socket', 'RDONLY')
        await make(s, 'char', 'null')
        await s.me.no('EACCES', 'open', 'null', 'RDONLY')
        await s.me.no('EINVAL', 'truncate', 'fifo', 0)
      },
    },
    {
      clause: 'S-9',
      name: 'a setgid folder hands down its group, and its bit to folders',
      run: async (s) => {
        await openFolder(s, 'd', 0o2777, s.root)
        await s.root.do('chown', 'd', 0, 4_321)
        await s.root.do('chmod', 'd', 0o2777)
        for (const [type, call] of MODE_MAKERS) {
          await s.me.ok(...call('d/x', 0o750))
          const mode = type === 'directory' ? 0o2750 : 0o750
          await s.me.has({ type, uid: s.me.uid, gid: 4_321, mode }, 'lstat', 'd/x')
          await s.me.ok(type === 'directory' ? 'rmdir' : 'unlink', 'd/x')
        }
        await s.me.ok('symlink', 'to', 'd/x')
        await s.me.has({ gid: 4_321 }, 'lstat', 'd/x')
        const fd = await s.me.ok('open', 'd', 'RDWR|TMPFILE', 0o600)
        await s.me.has({ gid: 4_321, uid: s.me.uid }, 'fstat', fd)
        // The execute bit for the group makes it a setgid program: only for members.
        await s.me.ok('open', 'd/program', 'RDWR|CREAT', 0o2770)
        await s.me.has({ gid: 4_321, mode: s.privileged ? 0o2750 : 0o750 }, 'stat', 'd/program')
        await s.me.ok('mkdir', 'd/e', 0o755)
        await s.me.ok('mkdir', 'd/e/f', 0o755)
        await s.me.has({ gid: 4_321, mode: 0o2755 }, 'stat', 'd/e/f')
      },
    },
    {
      clause: 'S-9',
      name: 'a folder without the bit gives its group to nobody',
      run: async (s) => {
        await openFolder(s, 'd', 0o777, s.root)
        await s.root.do('chown', 'd', 0, SECOND_GROUP)
        for (const [, call] of MODE_MAKERS) {
          await s.me.ok(...call('d/x', 0o750))
          await s.me.has({ gid: s.me.gid }, 'lstat', 'd/x')
          await s.me.do('rename', 'd/x', `gone${Math.random()}`)
        }
      },
    },
    {
      clause: 'S-12',
      name: 'nobody links directories; links of every other kind are one thing',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, `a-${kind}`)
          if (kind === 'directory') {
            await s.me.no('EPERM', 'link', `a-${kind}`, 'b')
            continue
          }
          await s.me.ok('link', `a-${kind}`, `b-${kind}`)
          await s.me.has({ nlink: 2 }, 'lstat', `a-${kind}`)
          s.same(`two names of a ${kind}`, await s.me.stat(`b-${kind}`), await s.me.stat(`a-${kind}`))
          await s.me.ok('unlink', `a-${kind}`)
          await s.me.has({ nlink: 1 }, 'lstat', `b-${kind}`)
        }
      },
    },
    {
      clause: 'S-12',
      name: 'one file by many names: bytes, mode, owner and times are the same by each',
      run: async (s) => {
        await s.me.write('a', 'first')
        for (let i = 2; i <= 40; i++) {
          await s.me.ok('link', 'a', `a${i}`)
          await s.me.has({ nlink: i }, 'stat', 'a')
        }
        await s.me.do('truncate', 'a7', 2)
        await s.me.do('chmod', 'a8', 0o640)
        await s.me.do('utimens', 'a9', [5, 6], [7, 8])
        await s.me.has({ size: 2, mode: 0o640, mtime: '7000000008', atime: '5000000006' }, 'stat', 'a40')
        s.same('bytes', await s.me.read('a23'), 'fi')
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.ok('rename', 'a40', 'd/a')
        await s.me.has({ nlink: 40 }, 'stat', 'd/a')
        await s.me.do('symlink', 'a', 'soft')
        await s.me.ok('link', 'soft', 'soft2')
        await s.me.has({ type: 'symlink', nlink: 2 }, 'lstat', 'soft2')
        await s.me.ok('link', 'soft', 'followed', true)
        await s.me.has({ type: 'file', nlink: 41 }, 'lstat', 'followed')
      },
    },
  ],
}
