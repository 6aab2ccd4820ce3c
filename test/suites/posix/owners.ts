/** chmod and chown: every bit on every kind, what clears setuid and setgid, and what groups a user may give. */
import { KINDS, make, openFolder } from './kinds.js'
import type { Scene } from './scene.js'
import { type Family, SECOND_GROUP } from './suite.js'

const MODES = [0o000, 0o111, 0o644, 0o777, 0o1777, 0o2755, 0o2644, 0o4755, 0o6711, 0o7777] as const
const SUID = 0o4000
const SGID = 0o2000

/** What is left of a mode when privileges go: setgid stays where it means mandatory locks. */
function without(mode: number): number {
  return mode & ~SUID & ((mode & 0o010) !== 0 ? ~SGID : ~0)
}

/** Changes of bytes that take privileges away from a program, unless root makes them. */
const CHANGES: readonly (readonly [name: string, run: (s: Scene, fd: number) => Promise<unknown>])[] = [
  ['write', (s, fd) => s.me.do('pwrite', fd, 'x', 0)],
  ['write behind the end', (s, fd) => s.me.do('pwrite', fd, 'x', 5_000)],
  ['ftruncate', (s, fd) => s.me.do('ftruncate', fd, 1)],
  ['truncate', (s) => s.me.do('truncate', 'd/f', 100)],
  ['open with O_TRUNC', (s) => s.me.do('open', 'd/f', 'WRONLY|TRUNC')],
  ['fallocate', (s, fd) => s.me.do('fallocate', fd, '', 0, 10_000)],
  ['punching a hole', (s, fd) => s.me.do('fallocate', fd, 'PUNCH_HOLE|KEEP_SIZE', 0, 2)],
  ['zeroing', (s, fd) => s.me.do('fallocate', fd, 'ZERO_RANGE', 0, 2)],
  ['copy_file_range', async (s, fd) => s.me.do('copy_file_range', await program(s), fd, 4, 0, 0)],
  ['direct write', (s, fd) => s.me.do('pwrite_direct', fd, 'd'.repeat(4_096), 0)],
]

async function program(s: Scene): Promise<number> {
  await s.me.write('source', 'bytes')
  return s.me.do('open', 'source', 'RDONLY')
}

async function chownRow(s: Scene, kind: 'file' | 'directory', mode: number, uid: number, gid: number): Promise<void> {
  await make(s, kind, 'x')
  await s.root.do('chown', 'x', s.me.uid, s.me.gid)
  await s.me.do('chmod', 'x', mode)
  await s.me.ok('chown', 'x', uid, gid)
  // Of root's own changes POSIX leaves it open; a drive does as Linux' file systems do.
  const left = kind === 'directory' ? mode : without(mode)
  await s.me.has({ mode: left, uid: uid < 0 ? s.me.uid : uid, gid: gid < 0 ? s.me.gid : gid }, 'stat', 'x')
  await s.root.do(kind === 'directory' ? 'rmdir' : 'unlink', 'x')
}

export const owners: Family = {
  name: 'owners and modes',
  cases: [
    ...KINDS.map((kind) => ({
      clause: 'S-5' as const,
      name: `chmod of a ${kind}: every bit is kept, and nothing else changes`,
      run: async (s: Scene) => {
        await make(s, kind, 'x')
        if (kind === 'symlink') {
          await s.me.no('ENOENT', 'chmod', 'x', 0o644)
          await s.me.write('nowhere')
          await s.me.ok('chmod', 'x', 0o604)
          await s.me.has({ mode: 0o604 }, 'stat', 'nowhere')
          return s.me.has({ mode: 0o777, type: 'symlink' }, 'lstat', 'x')
        }
        for (const mode of MODES) {
          const before = await s.me.stat('x')
          await s.tick()
          await s.me.ok('chmod', 'x', mode)
          const { ctime, mode: seen, ...rest } = await s.me.stat('x')
          s.same(`mode of ${kind}`, seen, mode)
          s.same(`the rest of ${kind}`, { ...rest, ctime: before.ctime, mode: before.mode }, before)
          s.yes('ctime moves', BigInt(ctime) > BigInt(before.ctime))
        }
      },
    })),
    {
      clause: 'S-5',
      name: 'fchmod and chmod of a folder tell the same',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        const fd = await s.me.do('open', 'd', 'RDONLY')
        for (const mode of MODES) {
          await s.me.ok('fchmod', fd, mode)
          await s.me.has({ mode }, 'fstat', fd)
          await s.me.has({ mode }, 'stat', 'd')
        }
      },
    },
    {
      clause: 'S-9',
      name: 'setgid goes when the owner is not in the group, and stays for members',
      run: async (s) => {
        await s.me.write('f')
        await s.root.do('chown', 'f', s.me.uid, 4_321)
        await s.me.ok('chmod', 'f', 0o2755)
        await s.me.has({ mode: s.privileged ? 0o2755 : 0o755 }, 'stat', 'f')
        await s.root.do('chown', 'f', s.me.uid, SECOND_GROUP)
        await s.me.ok('chmod', 'f', 0o2755)
        await s.me.has({ mode: 0o2755, gid: SECOND_GROUP }, 'stat', 'f')
      },
    },
    ...(['file', 'directory'] as const).map((kind) => ({
      clause: 'S-9' as const,
      name: `a change of owner or group of a ${kind} takes setuid and setgid of files, not of folders`,
      run: async (s: Scene) => {
        for (const mode of MODES) {
          await chownRow(s, kind, mode, s.me.uid, SECOND_GROUP)
          await chownRow(s, kind, mode, -1, SECOND_GROUP)
          await chownRow(s, kind, mode, s.me.uid, -1)
          if (s.privileged) await chownRow(s, kind, mode, s.other.uid, s.other.gid)
        }
      },
    })),
    ...KINDS.map((kind) => ({
      clause: 'S-5' as const,
      name: `owner and group of a ${kind}: root gives it away, its owner only to own groups`,
      run: async (s: Scene) => {
        await make(s, kind, 'x')
        const mine = s.privileged ? null : 'EPERM'
        await s.me.expect(mine, 'lchown', 'x', s.other.uid, -1)
        await s.root.do('lchown', 'x', s.me.uid, s.me.gid)
        await s.me.expect(mine, 'lchown', 'x', -1, s.other.gid)
        await s.root.do('lchown', 'x', s.me.uid, s.me.gid)
        await s.me.ok('lchown', 'x', s.me.uid, SECOND_GROUP)
        await s.me.has({ uid: s.me.uid, gid: SECOND_GROUP }, 'lstat', 'x')
        await s.me.ok('lchown', 'x', -1, s.me.gid)
        await s.me.has({ uid: s.me.uid, gid: s.me.gid }, 'lstat', 'x')
        await s.root.do('lchown', 'x', 4_294_967_294, 2_147_483_648)
        await s.me.has({ uid: 4_294_967_294, gid: 2_147_483_648 }, 'lstat', 'x')
        await s.me.expect(mine, 'lchown', 'x', s.me.uid, s.me.gid)
        await s.root.do('lchown', 'x', s.me.uid, s.me.gid)
        await s.other.no('EPERM', 'lchown', 'x', s.other.uid, -1)
        await s.other.no('EPERM', 'lchown', 'x', -1, s.other.gid)
      },
    })),
    {
      clause: 'S-5',
      name: 'chown follows links, lchown changes them; fchown the file that is open',
      run: async (s) => {
        await s.me.write('f')
        await s.me.do('symlink', 'f', 'l')
        await s.me.ok('chown', 'l', -1, SECOND_GROUP)
        await s.me.has({ gid: SECOND_GROUP }, 'stat', 'f')
        await s.me.has({ gid: s.me.gid }, 'lstat', 'l')
        await s.me.ok('lchown', 'l', -1, SECOND_GROUP)
        const fd = await s.me.do('open', 'f', 'RDONLY')
        await s.me.ok('fchown', fd, -1, s.me.gid)
        await s.me.has({ gid: s.me.gid }, 'fstat', fd)
        await s.me.has({ gid: SECOND_GROUP }, 'lstat', 'l')
        await s.me.do('unlink', 'f')
        await s.me.ok('fchown', fd, -1, SECOND_GROUP)
        await s.me.ok('fchmod', fd, 0o604)
        await s.me.has({ gid: SECOND_GROUP, mode: 0o604, nlink: 0 }, 'fstat', fd)
      },
    },
    ...CHANGES.map(([name, change]) => ({
      clause: 'S-9' as const,
      name: `${name} takes setuid and setgid from a program, unless root does it`,
      run: async (s: Scene) => {
        await openFolder(s, 'd')
        for (const mode of [0o6777, 0o4777, 0o2777, 0o6767, 0o777]) {
          await s.root.write('d/f', 'a program')
          await s.root.do('chown', 'd/f', s.other.uid, s.other.gid)
          await s.root.do('chmod', 'd/f', mode)
          const fd = await s.me.do('open', 'd/f', 'RDWR')
          await s.me.has({ mode }, 'stat', 'd/f')
          await change(s, fd)
          await s.me.has({ mode: s.privileged ? mode : without(mode) }, 'stat', 'd/f')
          await s.other.has({ mode: s.privileged ? mode : without(mode) }, 'stat', 'd/f')
          await s.root.do('unlink', 'd/f')
        }
      },
    })),
  ],
}
