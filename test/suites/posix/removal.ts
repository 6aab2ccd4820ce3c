/** Names that go: unlink, rmdir, and what sticky folders forbid. */
import { KINDS, make, openFolder, PLAIN_KINDS, remove } from './kinds.js'
import type { Scene } from './scene.js'
import type { Family } from './suite.js'

/** Whose the folder and what is in it are: 1 mine, 0 another user's. */
const OWNERS = [
  [1, 1],
  [1, 0],
  [0, 1],
  [0, 0],
] as const
const STICKY_KINDS = ['file', 'directory', 'fifo', 'symlink'] as const

async function stickyRow(s: Scene, mode: number, mine: readonly [number, number]): Promise<void> {
  const [folderOwner, owner] = mine.map((one) => (one ? s.me : s.other)) as [typeof s.me, typeof s.me]
  const forbidden = (mode & 0o1000) !== 0 && !s.privileged && folderOwner !== s.me && owner !== s.me
  const errno = forbidden ? 'EPERM' : null
  await openFolder(s, 'd', mode, folderOwner)
  await openFolder(s, 'mine')
  for (const kind of STICKY_KINDS) {
    const again = async (path: string) => {
      const gone = await s.root.hand.ask(kind === 'directory' ? 'rmdir' : 'unlink', [path])
      s.yes('made again', gone.errno === undefined || gone.errno === 'ENOENT')
      await make(s, kind, path, owner)
    }
    await make(s, kind, 'd/x', owner)
    await s.me.expect(errno, kind === 'directory' ? 'rmdir' : 'unlink', 'd/x')
    await again('d/x')
    await s.me.expect(errno, 'rename', 'd/x', 'd/y')
    await s.root.hand.ask('rename', ['d/y', 'd/x'])
    // A folder that is another's cannot be moved elsewhere: its '..' would change.
    const moves = kind === 'directory' && owner !== s.me && !s.privileged
    await s.me.expect(errno ?? (moves ? 'EACCES' : null), 'rename', 'd/x', 'mine/x')
    await s.root.hand.ask('rename', ['mine/x', 'd/x'])
    await make(s, kind, 'mine/new')
    await s.me.expect(errno, 'rename', 'mine/new', 'd/x')
    await again('d/x')
    await s.root.hand.ask(kind === 'directory' ? 'rmdir' : 'unlink', ['mine/new'])
    await make(s, kind, 'mine/new')
    await s.me.expect(errno ?? (moves ? 'EACCES' : null), 'rename2', 'mine/new', 'd/x', 'EXCHANGE')
    await remove(s.root, kind, 'd/x')
    await remove(s.root, kind, 'mine/new')
  }
}

export const removal: Family = {
  name: 'removing',
  cases: [
    {
      clause: 'S-23',
      name: 'unlink takes every kind but folders, rmdir only folders',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, 'x')
          if (kind === 'directory') {
            await s.me.no('EISDIR', 'unlink', 'x')
            await s.me.ok('rmdir', 'x')
          } else {
            await s.me.no('ENOTDIR', 'rmdir', 'x')
            await s.me.ok('unlink', 'x')
          }
          await s.me.no('ENOENT', 'lstat', 'x')
          await s.me.no('ENOENT', kind === 'directory' ? 'rmdir' : 'unlink', 'x')
        }
      },
    },
    {
      clause: 'S-23',
      name: 'a folder with any kind of thing in it stays',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        for (const kind of KINDS) {
          await make(s, kind, 'd/x')
          await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rmdir', 'd')
          await remove(s.me, kind, 'd/x')
        }
        await s.me.ok('rmdir', 'd')
      },
    },
    {
      clause: 'S-23',
      name: 'dots are not removed',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.no('EINVAL', 'rmdir', 'd/.')
        await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rmdir', 'd/..')
        await s.me.no(['EISDIR', 'EINVAL'], 'unlink', 'd/.')
        await s.me.no('EISDIR', 'unlink', 'd/..')
        await s.me.no('EISDIR', 'unlink', '.')
        await s.me.ok('rmdir', 'd')
      },
    },
    {
      clause: 'S-23',
      name: 'a folder that somebody stands in goes, and nothing can be made in it then',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.twin.do('chdir', 'd')
        const fd = await s.me.ok('open', 'd', 'RDONLY|DIRECTORY')
        await s.me.ok('rmdir', 'd')
        await s.me.has({ nlink: 0, type: 'directory' }, 'fstat', fd)
        await s.twin.no('ENOENT', 'open', 'x', 'RDWR|CREAT', 0o644)
        await s.twin.no('ENOENT', 'mkdir', 'x', 0o755)
        await s.twin.no('ENOENT', 'symlink', 'a', 'x')
        await s.twin.no('ENOENT', 'mknod', 'x', 'fifo', 0o644)
        await s.twin.no('ENOENT', 'open', '.', 'RDWR|TMPFILE', 0o600)
        await s.twin.no('ENOENT', 'getcwd')
        await s.twin.no('ENOENT', 'stat', 'x')
        await s.twin.has({ nlink: 0 }, 'stat', '.')
        await s.me.ok('mkdir', 'd', 0o755)
        await s.me.ok('rmdir', 'd')
      },
    },
    {
      clause: 'S-12',
      name: 'the number of links of a folder is 2 and its subfolders',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        for (let i = 1; i <= 20; i++) {
          await s.me.do('mkdir', `d/${i}`, 0o755)
          await s.me.write(`d/f${i}`)
          await s.me.has({ nlink: 2 + i }, 'stat', 'd')
        }
        await s.me.do('rename', 'd/1', 'out')
        await s.me.has({ nlink: 21 }, 'stat', 'd')
        await s.me.do('rename', 'd/2', 'd/3')
        await s.me.has({ nlink: 20 }, 'stat', 'd')
        await s.me.do('rename2', 'd/4', 'd/f4', 'EXCHANGE')
        await s.me.has({ nlink: 20 }, 'stat', 'd')
        await s.me.do('rename2', 'd/5', 'out', 'EXCHANGE')
        await s.me.has({ nlink: 20 }, 'stat', 'd')
        await s.me.do('rename2', 'd/6', 'd/out2', 'NOREPLACE')
        await s.me.do('rmdir', 'd/7')
        await s.me.has({ nlink: 19 }, 'stat', 'd')
      },
    },
    ...[0o777, 0o1777].flatMap((mode) =>
      OWNERS.map((mine) => ({
        clause: 'S-24' as const,
        name: `${mode.toString(8)}: ${mine[0] ? 'my' : "another's"} folder, ${mine[1] ? 'mine' : "another's"} in it`,
        run: (s: Scene) => stickyRow(s, mode, mine),
      })),
    ),
    {
      clause: 'S-23',
      name: "what another user made in an open folder is anybody's to remove",
      run: async (s) => {
        await openFolder(s, 'd')
        for (const kind of PLAIN_KINDS) {
          await make(s, kind, 'd/x', s.other)
          await s.me.ok(kind === 'directory' ? 'rmdir' : 'unlink', 'd/x')
        }
      },
    },
  ],
}
