/** What is refused because of a path, by every call that takes one. */
import type { Argument } from './hand.js'
import { openFolder } from './kinds.js'
import type { Actor, Scene } from './scene.js'
import type { Family } from './suite.js'

type Call = readonly [operation: string, ...args: Argument[]]
interface PathCall {
  call(path: string): Call
  /** It goes on through a symbolic link at the end. */
  readonly follows?: boolean
  /** The name must not be there: it makes one. */
  readonly makes?: boolean
  /** It takes a name away. */
  readonly removes?: boolean
}

const CALLS: readonly PathCall[] = [
  { call: (p) => ['open', p, 'RDONLY'], follows: true },
  { call: (p) => ['open', p, 'WRONLY'], follows: true },
  { call: (p) => ['open', p, 'WRONLY|CREAT', 0o644], follows: true, makes: true },
  { call: (p) => ['open', p, 'RDWR|CREAT|EXCL', 0o644], makes: true },
  { call: (p) => ['mkdir', p, 0o755], makes: true },
  { call: (p) => ['mknod', p, 'fifo', 0o644], makes: true },
  { call: (p) => ['mknod', p, 'file', 0o644], makes: true },
  { call: (p) => ['mknod', p, 'socket', 0o644], makes: true },
  { call: (p) => ['symlink', 'to', p], makes: true },
  { call: (p) => ['link', 'f', p], makes: true },
  { call: (p) => ['rename', 'f', p], makes: true },
  { call: (p) => ['rename2', 'f', p, 'NOREPLACE'], makes: true },
  { call: (p) => ['link', p, 'new'] },
  { call: (p) => ['rename', p, 'new'], removes: true },
  { call: (p) => ['rename2', p, 'f', 'EXCHANGE'], removes: true },
  { call: (p) => ['unlink', p], removes: true },
  { call: (p) => ['rmdir', p], removes: true },
  { call: (p) => ['chmod', p, 0o644], follows: true },
  { call: (p) => ['chown', p, -1, -1], follows: true },
  { call: (p) => ['lchown', p, -1, -1] },
  { call: (p) => ['truncate', p, 0], follows: true },
  { call: (p) => ['utimens', p, 'now', 'now'], follows: true },
  { call: (p) => ['utimens', p, 'now', 'now', false] },
  { call: (p) => ['stat', p], follows: true },
  { call: (p) => ['lstat', p] },
  { call: (p) => ['statx', p] },
  { call: (p) => ['readlink', p] },
  { call: (p) => ['access', p, 'F_OK'], follows: true },
  { call: (p) => ['getxattr', p, 'user.a'], follows: true },
  { call: (p) => ['getxattr', p, 'user.a', 100, false] },
  { call: (p) => ['setxattr', p, 'user.a', 'value'], follows: true },
  { call: (p) => ['listxattr', p], follows: true },
  { call: (p) => ['removexattr', p, 'user.a'], follows: true },
  { call: (p) => ['statvfs', p], follows: true },
  { call: (p) => ['opendir', p], follows: true },
  { call: (p) => ['chdir', p], follows: true },
  { call: (p) => ['execute', p], follows: true },
]

async function refuseAll(actor: Actor, errno: string, path: string, which = (_: PathCall) => true): Promise<void> {
  for (const one of CALLS.filter(which)) await actor.no(errno, ...one.call(path))
}

const LONG = 'n'.repeat(256)

/** A component that is in the way, and how every call is refused then. */
const COMPONENTS: readonly (readonly [path: string, errno: string, what: string])[] = [
  ['none/x', 'ENOENT', 'a folder that is not there'],
  ['dangling/x', 'ENOENT', 'a link into nothing'],
  ['', 'ENOENT', 'no path at all'],
  ['f/x', 'ENOTDIR', 'a file'],
  ['fifo/x', 'ENOTDIR', 'a fifo'],
  ['to-file/x', 'ENOTDIR', 'a link to a file'],
  ['loop/x', 'ELOOP', 'a link to itself'],
  ['here/there/x', 'ELOOP', 'two links to each other'],
  [`${LONG}/x`, 'ENAMETOOLONG', 'a folder name of 256 bytes'],
  [LONG, 'ENAMETOOLONG', 'a name of 256 bytes'],
  [`d/${LONG}`, 'ENAMETOOLONG', 'a name of 256 bytes in a folder'],
  ['n'.repeat(4_000), 'ENAMETOOLONG', 'a name of 4,000 bytes'],
  [`${'./'.repeat(2047)}ff`, 'ENAMETOOLONG', 'a path of 4,096 bytes'],
]

async function prepare(s: Scene): Promise<void> {
  await s.me.write('f')
  await s.me.do('mkdir', 'd', 0o755)
  await s.me.do('mknod', 'fifo', 'fifo', 0o644)
  await s.me.do('symlink', 'nowhere', 'dangling')
  await s.me.do('symlink', 'f', 'to-file')
  await s.me.do('symlink', 'loop', 'loop')
  await s.me.do('symlink', 'there', 'here')
  await s.me.do('symlink', 'here', 'there')
}

export const paths: Family = {
  name: 'paths',
  cases: [
    ...COMPONENTS.map(([path, errno, what]) => ({
      clause: 'S-21' as const,
      name: `every call refuses ${what} in its path: ${errno}`,
      run: async (s: Scene) => {
        await prepare(s)
        await refuseAll(s.me, errno, path)
        s.same(
          'names afterwards',
          (await s.me.do<unknown[]>('scan', '.')).length,
          2 + ['f', 'd', 'fifo', 'dangling', 'to-file', 'loop', 'here', 'there'].length,
        )
      },
    })),
    {
      clause: 'S-21',
      name: 'what is not there is not found by those who need it',
      run: async (s) => {
        await prepare(s)
        await refuseAll(s.me, 'ENOENT', 'd/none', (one) => !one.makes)
        await refuseAll(s.me, 'ENOENT', 'dangling', (one) => one.follows === true && !one.makes)
      },
    },
    {
      clause: 'S-21',
      name: 'a link to itself at the end: who follows is refused, who does not sees the link',
      run: async (s) => {
        await prepare(s)
        await refuseAll(s.me, 'ELOOP', 'loop', (one) => one.follows === true)
        await s.me.has({ type: 'symlink', size: 4 }, 'lstat', 'loop')
        await s.me.is('loop', 'readlink', 'loop')
        await refuseAll(
          s.me,
          'EEXIST',
          'loop',
          (one) => one.makes === true && !one.follows && one.call('')[0] !== 'rename',
        )
        await s.me.no('ELOOP', 'open', 'to-file', 'RDONLY|NOFOLLOW')
        await s.me.no('ELOOP', 'open', 'loop', 'RDONLY|NOFOLLOW')
      },
    },
    {
      clause: 'S-21',
      name: 'forty links in a row are followed, forty-one are not',
      run: async (s) => {
        await s.me.write('l0', 'end')
        for (let i = 1; i <= 41; i++) await s.me.do('symlink', `l${i - 1}`, `l${i}`)
        await s.me.has({ size: 3 }, 'stat', 'l40')
        await s.me.no('ELOOP', 'stat', 'l41')
        await s.me.has({ type: 'symlink' }, 'lstat', 'l41')
      },
    },
    {
      clause: 'S-21',
      name: 'names of 255 bytes and paths of 4,095 work everywhere',
      run: async (s) => {
        const long = 'm'.repeat(255)
        const far = `${'./'.repeat(2047)}f`
        await s.me.ok('mkdir', long, 0o755)
        await s.me.ok('rmdir', long)
        for (const kind of ['fifo', 'socket', 'file']) {
          await s.me.ok('mknod', long, kind, 0o644)
          await s.me.ok('unlink', long)
        }
        await s.me.ok('symlink', 'x', long)
        await s.me.ok('unlink', long)
        await s.me.write('f', 'here')
        await s.me.ok('link', 'f', long)
        await s.me.ok('rename', long, `k${long.slice(1)}`)
        await s.me.has({ size: 4, nlink: 2 }, 'stat', far)
        await s.me.ok('truncate', far, 1)
        await s.me.ok('chmod', far, 0o600)
        await s.me.ok('unlink', far)
      },
    },
    {
      clause: 'S-21',
      name: 'a slash behind what is no folder',
      run: async (s) => {
        await s.me.write('f')
        await s.me.do('mkdir', 'd', 0o755)
        const refused: Call[] = [
          ...(['stat', 'lstat', 'unlink', 'opendir', 'chdir', 'listxattr'] as const).map((one): Call => [one, 'f/']),
          ...([
            ['open', 'f/', 'RDONLY'],
            ['chmod', 'f/', 0o644],
            ['truncate', 'f/', 0],
            ['rename', 'f/', 'g'],
          ] as Call[]),
          ['rename', 'f', 'f/'],
          ['rename', 'f', 'g/'],
        ]
        for (const one of refused) await s.me.no('ENOTDIR', ...one)
        await s.me.no('EISDIR', 'open', 'g/', 'WRONLY|CREAT', 0o644)
        await s.me.no('ENOENT', 'mknod', 'g/', 'fifo', 0o644)
        await s.me.no('ENOENT', 'symlink', 'x', 'g/')
        await s.me.no('ENOENT', 'link', 'f', 'g/')
        await s.me.no('EEXIST', 'mkdir', 'f/', 0o755)
        await s.me.ok('mkdir', 'e/', 0o755)
        await s.me.ok('rename', 'e/', 'h/')
        await s.me.ok('rmdir', 'h/')
      },
    },
    {
      clause: 'S-25',
      name: 'a folder that may not be searched hides what is in it; root sees it',
      run: async (s) => {
        await openFolder(s, 'closed', 0o755, s.root)
        await s.root.write('closed/x', '', 0o777)
        await s.root.do('chmod', 'closed', 0o666)
        await s.me.write('f')
        if (!s.privileged) return refuseAll(s.me, 'EACCES', 'closed/x')
        await s.me.has({ size: 0 }, 'stat', 'closed/x')
        await s.me.ok('chmod', 'closed/x', 0o644)
        await s.me.ok('unlink', 'closed/x')
      },
    },
    {
      clause: 'S-25',
      name: 'a folder that may not be written gets and loses no names; root may',
      run: async (s) => {
        await openFolder(s, 'shut', 0o755, s.root)
        await s.root.write('shut/x', '', 0o777)
        await s.root.do('chown', 'shut/x', s.me.uid, s.me.gid)
        await s.me.write('f')
        if (s.privileged) {
          await s.me.ok('rename', 'shut/x', 'shut/y')
          await s.me.ok('unlink', 'shut/y')
          return
        }
        await refuseAll(s.me, 'EACCES', 'shut/new', (one) => one.makes === true)
        await refuseAll(s.me, 'EACCES', 'shut/x', (one) => one.removes === true)
        await s.me.ok('truncate', 'shut/x', 3)
        await s.me.ok('chmod', 'shut/x', 0o600)
      },
    },
  ],
}
