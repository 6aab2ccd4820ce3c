/** Times: what sets them, what moves them, what leaves them alone. */
import type { Argument } from './hand.js'
import { KINDS, make, openFolder } from './kinds.js'
import type { Scene, Stat } from './scene.js'
import type { Family } from './suite.js'

type Field = 'atime' | 'mtime' | 'ctime'
type Call = readonly [operation: string, ...args: Argument[]]

/** A successful call: which times of which path move; all others of the paths watched stay. */
interface Move {
  readonly call: Call
  readonly moves: Readonly<Record<string, readonly Field[]>>
  readonly errno?: string
}

const BOTH = ['mtime', 'ctime'] as const
const A_MINUTE_NS = 60_000_000_000n
const CTIME = ['ctime'] as const
/** Of these folders and things in them: d (a folder), d/f, d/g (files), d/l (a link), d/e (an empty folder), z (another folder), z/f. */
const WATCHED = ['d', 'd/f', 'd/g', 'd/l', 'd/e', 'z', 'z/f'] as const

const MOVES: readonly Move[] = [
  { call: ['open', 'd/new', 'WRONLY|CREAT', 0o644], moves: { d: BOTH } },
  { call: ['mkdir', 'd/new', 0o755], moves: { d: BOTH } },
  { call: ['mknod', 'd/new', 'fifo', 0o644], moves: { d: BOTH } },
  { call: ['symlink', 'x', 'd/new'], moves: { d: BOTH } },
  { call: ['bind', 'd/new'], moves: { d: BOTH } },
  { call: ['link', 'd/f', 'd/new'], moves: { d: BOTH, 'd/f': CTIME } },
  { call: ['link', 'd/f', 'z/new'], moves: { z: BOTH, 'd/f': CTIME } },
  { call: ['unlink', 'd/f'], moves: { d: BOTH } },
  { call: ['unlink', 'd/l'], moves: { d: BOTH } },
  { call: ['rmdir', 'd/e'], moves: { d: BOTH } },
  { call: ['rename', 'd/f', 'd/new'], moves: { d: BOTH } },
  { call: ['rename', 'd/f', 'd/g'], moves: { d: BOTH } },
  { call: ['rename', 'd/f', 'z/new'], moves: { d: BOTH, z: BOTH } },
  { call: ['rename', 'd/e', 'z/new'], moves: { d: BOTH, z: BOTH } },
  { call: ['rename', 'd/f', 'z/f'], moves: { d: BOTH, z: BOTH } },
  { call: ['rename2', 'd/f', 'z/f', 'EXCHANGE'], moves: { d: BOTH, z: BOTH } },
  { call: ['chmod', 'd/f', 0o600], moves: { 'd/f': CTIME } },
  { call: ['chmod', 'd', 0o700], moves: { d: CTIME } },
  { call: ['chown', 'd/f', 0, 0], moves: { 'd/f': CTIME } },
  { call: ['lchown', 'd/l', 0, 0], moves: { 'd/l': CTIME } },
  { call: ['truncate', 'd/f', 2], moves: { 'd/f': BOTH } },
  { call: ['truncate', 'd/f', 9_000], moves: { 'd/f': BOTH } },
  { call: ['open', 'd/f', 'WRONLY|TRUNC'], moves: { 'd/f': BOTH } },
  { call: ['open', 'd/f', 'RDWR'], moves: {} },
  { call: ['open', 'd/f', 'WRONLY|CREAT', 0o644], moves: {} },
  { call: ['setxattr', 'd/f', 'user.a', 'v'], moves: { 'd/f': CTIME } },
  { call: ['setxattr', 'd', 'user.a', 'v'], moves: { d: CTIME } },
  { call: ['utimens', 'd/f', 'now', 'now'], moves: { 'd/f': ['atime', ...BOTH] } },
  { call: ['utimens', 'd/f', 'omit', 'now'], moves: { 'd/f': BOTH } },
  { call: ['utimens', 'd/f', 'now', 'omit'], moves: { 'd/f': ['atime', 'ctime'] } },
  { call: ['utimens', 'd/f', 'omit', 'omit'], moves: {} },
  { call: ['scan', 'd'], moves: {} },
  { call: ['readlink', 'd/l'], moves: {} },
  { call: ['open', 'd', 'RDWR|TMPFILE', 0o600], moves: {} },
  // What fails moves nothing.
  { call: ['open', 'd/f', 'WRONLY|CREAT|EXCL', 0o644], moves: {}, errno: 'EEXIST' },
  { call: ['mkdir', 'd/e', 0o755], moves: {}, errno: 'EEXIST' },
  { call: ['mknod', 'd/f', 'fifo', 0o644], moves: {}, errno: 'EEXIST' },
  { call: ['symlink', 'x', 'd/l'], moves: {}, errno: 'EEXIST' },
  { call: ['link', 'd/f', 'd/g'], moves: {}, errno: 'EEXIST' },
  { call: ['unlink', 'd/e'], moves: {}, errno: 'EISDIR' },
  { call: ['unlink', 'd/none'], moves: {}, errno: 'ENOENT' },
  { call: ['rmdir', 'd/f'], moves: {}, errno: 'ENOTDIR' },
  { call: ['rmdir', 'd'], moves: {}, errno: 'ENOTEMPTY' },
  { call: ['rename', 'd/f', 'd/e'], moves: {}, errno: 'EISDIR' },
  { call: ['rename', 'd/e', 'd/f'], moves: {}, errno: 'ENOTDIR' },
  { call: ['rename', 'd/e', 'z'], moves: {}, errno: 'ENOTEMPTY' },
  { call: ['rename2', 'd/f', 'd/g', 'NOREPLACE'], moves: {}, errno: 'EEXIST' },
  { call: ['rename2', 'd/f', 'd/none', 'EXCHANGE'], moves: {}, errno: 'ENOENT' },
  { call: ['truncate', 'd', 0], moves: {}, errno: 'EISDIR' },
  { call: ['truncate', 'd/f', -1], moves: {}, errno: 'EINVAL' },
  { call: ['setxattr', 'd/f', 'user.a', 'v', 'REPLACE'], moves: {}, errno: 'ENODATA' },
  { call: ['removexattr', 'd/f', 'user.a'], moves: {}, errno: 'ENODATA' },
]

async function look(s: Scene, watched: ReadonlyMap<string, number>): Promise<Map<string, Stat>> {
  const seen = new Map<string, Stat>()
  // By descriptor: the name may be gone or another's.
  for (const [path, fd] of watched) seen.set(path, await s.me.do<Stat>('fstat', fd))
  return seen
}

async function moveRow(s: Scene, { call, moves, errno }: Move): Promise<void> {
  for (const folder of ['d', 'z', 'd/e']) await s.me.do('mkdir', folder, 0o755)
  for (const file of ['d/f', 'd/g', 'z/f']) await s.me.write(file, 'some bytes')
  await s.me.do('symlink', 'x', 'd/l')
  const watched = new Map<string, number>()
  for (const path of WATCHED)
    watched.set(path, await s.me.do('open', path, path === 'd/l' ? 'PATH|NOFOLLOW' : 'RDONLY'))
  const before = await look(s, watched)
  await s.tick()
  const mine = call.map((one) => (one === 0 && call[0].includes('chown') ? s.me.uid : one)) as [string, ...Argument[]]
  await s.me.expect(errno ?? null, ...mine)
  const renamed = call[0].startsWith('rename') && errno === undefined
  const affected = new Map(Object.entries(moves))
  // Linux moves the ctime of what was renamed, replaced or lost a name.
  if (renamed || ['unlink', 'rmdir'].includes(call[0])) {
    for (const path of WATCHED)
      if (errno === undefined && !affected.has(path) && mine.includes(path)) affected.set(path, CTIME)
  }
  for (const [path, was] of before) {
    const is = await s.me.do<Stat>('fstat', watched.get(path) as number)
    for (const field of ['atime', 'mtime', 'ctime'] as const) {
      const moved = BigInt(is[field]) > BigInt(was[field])
      s.same(`${call.join(' ')}: ${field} of ${path} moves`, moved, affected.get(path)?.includes(field) ?? false)
    }
  }
}

const SET: readonly (readonly [sec: number, nsec: number])[] = [
  [0, 0],
  [0, 1],
  [1, 999_999_999],
  [1_234_567_890, 123_456_789],
  [2_147_483_647, 1],
  [2_147_483_648, 2],
  [4_294_967_296, 3],
  [9_000_000_000, 4],
  [-1, 0],
  [-1, 999_999_999],
  [-86_400, 5],
  [-2_147_483_648, 6],
  [-2_147_483_649, 7],
  [-9_000_000_000, 8],
]
const ns = (time: readonly [number, number]) => String(BigInt(time[0]) * 1_000_000_000n + BigInt(time[1]))

/** On a descriptor: which times move. */
const DESCRIPTOR_MOVES: readonly (readonly [call: string, args: readonly Argument[], moves: readonly Field[]])[] = [
  ['pwrite', ['x', 0], BOTH],
  ['pwrite', ['x', 100_000], BOTH],
  ['pwrite', ['', 0], []],
  ['pread', [5, 0], []],
  ['ftruncate', [3], BOTH],
  ['ftruncate', [50_000], BOTH],
  ['fallocate', ['', 0, 100_000], BOTH],
  ['fallocate', ['KEEP_SIZE|PUNCH_HOLE', 0, 4_096], BOTH],
  ['fallocate', ['ZERO_RANGE', 0, 4_096], BOTH],
  ['fchmod', [0o600], CTIME],
  ['fchown', [-1, 0], CTIME],
  ['setxattr', ['user.b', 'v'], CTIME],
  ['fsync', [], []],
  ['lseek', [3, 'SET'], []],
  ['utimens', ['now', 'omit'], ['atime', 'ctime']],
]

export const times: Family = {
  name: 'times',
  cases: [
    ...MOVES.map((one) => ({
      clause: 'S-26' as const,
      name: `${one.call.join(' ')}: ${one.errno ? `${one.errno}, no time moves` : 'moves what it changes'}`,
      run: (s: Scene) => moveRow(s, one),
    })),
    {
      clause: 'S-26',
      name: 'what is done with a descriptor moves the times of its file',
      run: async (s) => {
        await s.me.write('f', 'some bytes')
        const fd = await s.me.do('open', 'f', 'RDWR')
        for (const [call, args, moves] of DESCRIPTOR_MOVES) {
          const was = await s.me.stat('f')
          await s.tick()
          await s.me.ok(call, fd, ...args.map((one) => (call === 'fchown' && one === 0 ? s.me.gid : one)))
          const is = await s.me.stat('f')
          for (const field of ['atime', 'mtime', 'ctime'] as const) {
            s.same(`${call}(${args}): ${field} moves`, BigInt(is[field]) > BigInt(was[field]), moves.includes(field))
          }
        }
      },
    },
    ...KINDS.map((kind) => ({
      clause: 'S-4' as const,
      name: `times of a ${kind} are kept to the nanosecond, long before 1970 and after 2106`,
      run: async (s: Scene) => {
        await make(s, kind, 'x')
        for (const [i, time] of SET.entries()) {
          const other = SET[(i + 5) % SET.length] as [number, number]
          await s.me.ok('utimens', 'x', time, other, false)
          await s.me.has({ atime: ns(time), mtime: ns(other) }, 'lstat', 'x')
        }
      },
    })),
    {
      clause: 'S-4',
      name: 'one of the two times, by path, by descriptor, and of links themselves',
      run: async (s) => {
        await s.me.write('f')
        await s.me.do('symlink', 'f', 'l')
        const fd = await s.me.do('open', 'f', 'RDONLY')
        await s.me.ok('utimens', 'f', [10, 1], [20, 2])
        await s.me.ok('utimens', 'f', 'omit', [30, 3])
        await s.me.has({ atime: ns([10, 1]), mtime: ns([30, 3]) }, 'stat', 'f')
        await s.me.ok('utimens', fd, [40, 4], 'omit')
        await s.me.has({ atime: ns([40, 4]), mtime: ns([30, 3]) }, 'stat', 'f')
        await s.me.ok('utimens', 'l', [50, 5], [60, 6])
        await s.me.has({ atime: ns([50, 5]), mtime: ns([60, 6]) }, 'stat', 'f')
        await s.me.ok('utimens', 'l', [70, 7], [80, 8], false)
        await s.me.has({ atime: ns([70, 7]), mtime: ns([80, 8]) }, 'lstat', 'l')
        await s.me.has({ mtime: ns([60, 6]) }, 'stat', 'f')
        await s.me.no('EINVAL', 'utimens', 'f', [1, 1_000_000_000], [1, 0])
        await s.me.no('EINVAL', 'utimens', 'f', [1, 0], [1, -1])
        await s.me.has({ atime: ns([50, 5]) }, 'stat', 'f')
      },
    },
    {
      clause: 'S-4',
      name: 'times beyond what is kept become the nearest',
      run: async (s) => {
        await s.me.write('f')
        for (const beyond of [100_000_000_000, 2 ** 53, 2 ** 60]) {
          await s.me.ok('utimens', 'f', [-beyond, 0], [beyond, 999_999_999])
          const { atime, mtime } = await s.me.stat('f')
          s.yes(`${atime} is before 1678`, BigInt(atime) < -9_200_000_000_000_000_000n)
          s.yes(`${mtime} is after 2261`, BigInt(mtime) > 9_200_000_000_000_000_000n)
        }
      },
    },
    {
      clause: 'S-4',
      name: 'access times do not follow reading',
      run: async (s) => {
        await openFolder(s, 'd')
        await s.me.write('d/f', 'bytes')
        await s.me.do('symlink', 'f', 'd/l')
        for (const path of ['d/f', 'd/l', 'd']) await s.me.do('utimens', path, [1, 0], [2, 0], false)
        await s.me.read('d/f')
        await s.me.do('readlink', 'd/l')
        await s.me.do('scan', 'd')
        for (const path of ['d/f', 'd/l', 'd'])
          await s.me.has({ atime: '1000000000', mtime: '2000000000' }, 'lstat', path)
      },
    },
    {
      clause: 'S-31',
      name: 'birth times are those of the making, whatever happens afterwards',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, kind)
          const { mtime } = await s.me.stat(kind)
          const { btime } = await s.me.do<{ btime: string }>('statx', kind)
          const agoNs = BigInt(mtime) - BigInt(btime)
          s.yes(`statx ${kind}: born ${agoNs} ns before its mtime`, agoNs >= 0n && agoNs < A_MINUTE_NS)
          await s.root.do('lchown', kind, s.me.uid, s.me.gid)
          await s.me.do('utimens', kind, [1, 0], [2, 0], false)
          await s.me.do('rename', kind, `${kind}-moved`)
          await s.me.is({ basic: 0x7ff, btime }, 'statx', `${kind}-moved`)
        }
      },
    },
  ],
}
