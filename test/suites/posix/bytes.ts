/** Bytes: reading and writing anywhere, holes, reserved ranges, copies between files, and mappings. */
import { rampBytes } from '../../support/ramp.js'
import { openFolder } from './kinds.js'
import type { Scene, Stat } from './scene.js'
import type { Family } from './suite.js'

const KIB = 1_024
const MIB = 1_024 * KIB
const ramp = (seed: number, size: number) => rampBytes(seed, size).toString('latin1')
/** Around pages, units, requests and staged rows. */
const SIZES = [0, 1, 4_095, 4_096, 4_097, 65_535, 65_537, MIB - 1, MIB, MIB + 1] as const

/** `length` bytes at 0 of a fresh file f; its descriptor. */
async function fileOf(s: Scene, bytes: string): Promise<number> {
  const fd = await s.me.do('open', 'f', 'RDWR|CREAT|TRUNC', 0o644)
  for (let at = 0; at < bytes.length; at += MIB) await s.me.do('pwrite', fd, bytes.slice(at, at + MIB), at)
  return fd
}

async function truncated(s: Scene, from: number, to: number): Promise<void> {
  const bytes = ramp(from, from)
  const fd = await fileOf(s, bytes)
  await s.me.ok(to % 2 === 0 ? 'ftruncate' : 'truncate', to % 2 === 0 ? fd : 'f', to)
  await s.me.has({ size: to }, 'fstat', fd)
  const kept = Math.min(from, to)
  await s.me.is(bytes.slice(Math.max(0, kept - 100), kept), 'pread', fd, Math.min(100, kept), Math.max(0, kept - 100))
  if (to > from) await s.me.is(true, 'zeros', fd, Math.min(to - from, 70_000), from)
  // What was cut off does not come back.
  await s.me.ok('ftruncate', fd, from + 5_000)
  await s.me.is(true, 'zeros', fd, from + 5_000 - kept > 70_000 ? 70_000 : from + 5_000 - kept, kept)
}

export const bytes: Family = {
  name: 'bytes',
  cases: [
    ...SIZES.map((size) => ({
      clause: 'S-14' as const,
      name: `${size} bytes are written, read, read behind the end and written behind it`,
      run: async (s: Scene) => {
        const text = ramp(size, size)
        const fd = await fileOf(s, text)
        await s.me.has({ size }, 'stat', 'f')
        s.same('all bytes', (await s.me.read('f')) === text, true)
        const tail = Math.min(size, 10)
        await s.me.is(text.slice(size - tail), 'pread', fd, 100, size - tail)
        await s.me.is('', 'pread', fd, 100, size)
        await s.me.is('', 'pread', fd, 100, size + MIB)
        await s.me.is('', 'pread', fd, 0, 0)
        await s.me.is(0, 'pwrite', fd, '', size + 10)
        await s.me.has({ size }, 'fstat', fd)
        await s.me.is(4, 'pwrite', fd, 'tail', size + 5_000)
        await s.me.is(true, 'zeros', fd, 5_000, size)
        await s.me.is('tail', 'pread', fd, 100, size + 5_000)
        await s.me.is(size + 5_004, 'lseek', fd, 0, 'END')
        await s.me.no('EINVAL', 'lseek', fd, -1, 'SET')
        await s.me.no('EINVAL', 'pread', fd, 1, -1)
        await s.me.no('EINVAL', 'pwrite', fd, 'x', -1)
      },
    })),
    ...([1, 4_095, 4_096, 65_537, MIB] as const).map((from) => ({
      clause: 'S-14' as const,
      name: `a file of ${from} bytes is cut and grown, and what is new is zeros`,
      run: async (s: Scene) => {
        for (const to of SIZES) await truncated(s, from, to)
      },
    })),
    {
      clause: 'S-14',
      name: 'sizes that are none are refused',
      run: async (s) => {
        const fd = await fileOf(s, 'bytes')
        await s.me.no('EINVAL', 'truncate', 'f', -1)
        await s.me.no('EINVAL', 'ftruncate', fd, -1)
        await s.me.no('EINVAL', 'fallocate', fd, '', -1, 10)
        await s.me.no('EINVAL', 'fallocate', fd, '', 0, 0)
        await s.me.no('EINVAL', 'fallocate', fd, '', 0, -5)
        await s.me.has({ size: 5 }, 'fstat', fd)
        for (const actor of [s.me, s.twin]) s.same('bytes', await actor.read('f'), 'bytes')
      },
    },
    {
      clause: 'S-7',
      name: 'a file is data and holes, as it was written',
      run: async (s) => {
        const fd = await fileOf(s, '')
        await s.me.do('ftruncate', fd, 10 * MIB)
        await s.me.has({ size: 10 * MIB, blocks: 0 }, 'fstat', fd)
        await s.me.no('ENXIO', 'lseek', fd, 0, 'DATA')
        await s.me.is(0, 'lseek', fd, 0, 'HOLE')
        await s.me.do('pwrite', fd, ramp(1, 64 * KIB), MIB)
        await s.me.do('pwrite', fd, ramp(2, 64 * KIB), 4 * MIB)
        await s.me.is(MIB, 'lseek', fd, 0, 'DATA')
        await s.me.is(MIB + 10, 'lseek', fd, MIB + 10, 'DATA')
        await s.me.is(MIB + 64 * KIB, 'lseek', fd, MIB, 'HOLE')
        await s.me.is(4 * MIB, 'lseek', fd, MIB + 64 * KIB, 'DATA')
        await s.me.is(4 * MIB + 64 * KIB, 'lseek', fd, 4 * MIB + 100, 'HOLE')
        await s.me.no('ENXIO', 'lseek', fd, 5 * MIB, 'DATA')
        await s.me.is(5 * MIB, 'lseek', fd, 5 * MIB, 'HOLE')
        await s.me.no('ENXIO', 'lseek', fd, 10 * MIB, 'HOLE')
        await s.me.no('ENXIO', 'lseek', fd, 10 * MIB, 'DATA')
        await s.me.no('ENXIO', 'lseek', fd, -1, 'DATA')
        await s.me.has({ blocks: (128 * KIB) / 512 }, 'stat', 'f')
        await s.me.is(true, 'zeros', fd, MIB, 0)
        await s.me.is(ramp(2, 100), 'pread', fd, 100, 4 * MIB)
      },
    },
    {
      clause: 'S-7',
      name: 'fallocate: plain, keeping the size, punching, zeroing',
      run: async (s) => {
        const text = ramp(3, 256 * KIB)
        const fd = await fileOf(s, text)
        await s.me.ok('fallocate', fd, 'KEEP_SIZE', 0, MIB)
        await s.me.has({ size: 256 * KIB, blocks: MIB / 512 }, 'fstat', fd)
        await s.me.ok('fallocate', fd, '', MIB, MIB)
        await s.me.has({ size: 2 * MIB, blocks: (2 * MIB) / 512 }, 'fstat', fd)
        await s.me.is(true, 'zeros', fd, MIB, 300 * KIB)
        s.same('the old bytes', (await s.me.do<string>('pread', fd, 256 * KIB, 0)) === text, true)
        await s.me.ok('fallocate', fd, 'PUNCH_HOLE|KEEP_SIZE', 64 * KIB, 64 * KIB)
        await s.me.is(true, 'zeros', fd, 64 * KIB, 64 * KIB)
        await s.me.is(text.slice(64 * KIB - 4, 64 * KIB), 'pread', fd, 4, 64 * KIB - 4)
        await s.me.is(text.slice(128 * KIB, 128 * KIB + 4), 'pread', fd, 4, 128 * KIB)
        await s.me.is(64 * KIB, 'lseek', fd, 0, 'HOLE')
        await s.me.is(128 * KIB, 'lseek', fd, 64 * KIB, 'DATA')
        await s.me.has({ size: 2 * MIB, blocks: (2 * MIB - 64 * KIB) / 512 }, 'fstat', fd)
        await s.me.ok('fallocate', fd, 'PUNCH_HOLE|KEEP_SIZE', 140_001, 777)
        await s.me.is(text.slice(140_778, 140_790), 'pread', fd, 12, 140_778)
        await s.me.is(true, 'zeros', fd, 777, 140_001)
        await s.me.ok('fallocate', fd, 'PUNCH_HOLE|KEEP_SIZE', 3 * MIB, MIB)
        await s.me.has({ size: 2 * MIB }, 'fstat', fd)
        await s.me.ok('fallocate', fd, 'ZERO_RANGE', 10, 100)
        await s.me.is(`${text.slice(0, 10)}${'\0'.repeat(100)}${text.slice(110, 120)}`, 'pread', fd, 120, 0)
        await s.me.ok('fallocate', fd, 'ZERO_RANGE|KEEP_SIZE', 2 * MIB, MIB)
        await s.me.has({ size: 2 * MIB, blocks: (3 * MIB - 64 * KIB) / 512 }, 'fstat', fd)
        await s.me.ok('fallocate', fd, 'ZERO_RANGE', 2 * MIB, MIB)
        await s.me.has({ size: 3 * MIB }, 'fstat', fd)
        await s.me.ok('posix_fallocate', fd, 0, 4 * MIB)
        await s.me.has({ size: 4 * MIB, blocks: (4 * MIB) / 512 }, 'fstat', fd)
      },
    },
    {
      clause: 'S-30',
      name: 'what moves the bytes behind it is refused and changes nothing',
      run: async (s) => {
        const text = ramp(4, 64 * KIB)
        const fd = await fileOf(s, text)
        for (const mode of ['COLLAPSE_RANGE', 'INSERT_RANGE', 'UNSHARE_RANGE', 'PUNCH_HOLE', 'PUNCH_HOLE|ZERO_RANGE']) {
          await s.me.no('EOPNOTSUPP', 'fallocate', fd, mode, 0, 4_096)
        }
        for (const request of [0x40049409, 0xc020660b])
          await s.me.no(['EOPNOTSUPP', 'ENOTTY', 'EBADF', 'EFAULT'], 'ioctl', fd, request, fd)
        await s.me.no('ENOTTY', 'ioctl', fd, 0x5401)
        s.same('the bytes', (await s.me.read('f')) === text, true)
        await s.me.do('mkdir', 'd', 0o755)
        const folder = await s.me.do('open', 'd', 'RDONLY')
        await s.me.no('EBADF', 'fallocate', folder, '', 0, 10)
        await s.me.do('mknod', 'fifo', 'fifo', 0o600)
        const fifo = await s.me.do('open', 'fifo', 'RDWR')
        await s.me.no('ESPIPE', 'fallocate', fifo, '', 0, 10)
      },
    },
    {
      clause: 'S-35',
      name: 'a copy keeps holes, and both go their own way',
      run: async (s) => {
        const fd = await fileOf(s, '')
        await s.me.do('pwrite', fd, ramp(7, 64 * KIB), 64 * KIB)
        await s.me.do('ftruncate', fd, 300 * KIB)
        const to = await s.me.do('open', 'g', 'RDWR|CREAT', 0o644)
        await s.me.do('pwrite', to, ramp(8, 300 * KIB), 0)
        const before = await s.me.stat('f')
        const was = await s.me.stat('g')
        await s.tick()
        await s.me.is(300 * KIB, 'copy_file_range', fd, to, 300 * KIB, 0, 0)
        s.same('the source', await s.me.stat('f'), before)
        await s.me.has({ size: 300 * KIB, blocks: before.blocks }, 'stat', 'g')
        const { mtime, ctime } = await s.me.stat('g')
        s.yes('mtime and ctime move', BigInt(mtime) > BigInt(was.mtime) && BigInt(ctime) > BigInt(was.ctime))
        await s.me.is(64 * KIB, 'lseek', to, 0, 'DATA')
        await s.me.is(128 * KIB, 'lseek', to, 64 * KIB, 'HOLE')
        s.same('bytes', (await s.me.read('g')) === (await s.me.read('f')), true)
        await s.me.do('pwrite', fd, 'SOURCE', 70_000)
        await s.me.do('pwrite', to, 'TARGET', 80_000)
        const same = ramp(7, 64 * KIB)
        await s.me.is('SOURCE', 'pread', fd, 6, 70_000)
        await s.me.is(same.slice(70_000 - 65_536, 70_006 - 65_536), 'pread', to, 6, 70_000)
        await s.me.is(same.slice(80_000 - 65_536, 80_006 - 65_536), 'pread', fd, 6, 80_000)
        await s.me.do('ftruncate', fd, 0)
        await s.me.do('unlink', 'f')
        await s.me.is('TARGET', 'pread', to, 6, 80_000)
        await s.me.is(same.slice(-100), 'pread', to, 100, 128 * KIB - 100)
        await s.me.ok('fsync', to)
      },
    },
    {
      clause: 'S-35',
      name: 'copy_file_range: whole and part of a file, within one, and what is refused',
      run: async (s) => {
        const text = ramp(5, 300 * KIB)
        const fd = await fileOf(s, text)
        const to = await s.me.do('open', 'g', 'RDWR|CREAT', 0o644)
        await s.me.is(300 * KIB, 'copy_file_range', fd, to, 300 * KIB, 0, 0)
        s.same('the copy', (await s.me.read('g')) === text, true)
        await s.me.is(1_000, 'copy_file_range', fd, to, 1_000, 50_000, 7)
        await s.me.is(text.slice(50_000, 51_000), 'pread', to, 1_000, 7)
        await s.me.is(text.slice(1_007, 1_017), 'pread', to, 10, 1_007)
        await s.me.is(100, 'copy_file_range', fd, to, MIB, 300 * KIB - 100, 400 * KIB)
        await s.me.has({ size: 400 * KIB + 100 }, 'fstat', to)
        await s.me.is(0, 'copy_file_range', fd, to, 100, 300 * KIB, 0)
        await s.me.is(0, 'copy_file_range', fd, to, 100, MIB, 0)
        await s.me.is(5_000, 'copy_file_range', fd, fd, 5_000, 0, 250_000)
        await s.me.is(text.slice(0, 5_000), 'pread', fd, 5_000, 250_000)
        await s.me.no('EINVAL', 'copy_file_range', fd, fd, 5_000, 0, 4_000)
        const readOnly = await s.me.do('open', 'g', 'RDONLY')
        await s.me.no('EBADF', 'copy_file_range', fd, readOnly, 10, 0, 0)
        const append = await s.me.do('open', 'g', 'WRONLY|APPEND')
        await s.me.no('EBADF', 'copy_file_range', fd, append, 10, 0, 0)
        await s.me.no('EBADF', 'copy_file_range', append, fd, 10, 0, 0)
        const folder = await s.me.do('open', '.', 'RDONLY')
        await s.me.no('EISDIR', 'copy_file_range', folder, fd, 10, 0, 0)
        s.same('the source', (await s.me.read('f')).slice(0, 250_000) === text.slice(0, 250_000), true)
      },
    },
    {
      clause: 'S-33',
      name: 'a shared mapping and descriptors see one another',
      run: async (s) => {
        await openFolder(s, 'd')
        const fd = await fileOf(s, ramp(6, 3 * 4_096 + 100))
        const far = await s.twin.do('open', 'f', 'RDWR')
        const [mine, theirs] = [
          await s.me.do('mmap', fd, 4 * 4_096 - 3_996),
          await s.twin.do('mmap', far, 3 * 4_096 + 100),
        ]
        await s.me.is(ramp(6, 20), 'mread', mine, 20, 0)
        await s.me.ok('mwrite', mine, 'mapped', 5_000)
        await s.twin.is('mapped', 'mread', theirs, 6, 5_000)
        await s.twin.is('mapped', 'pread', far, 6, 5_000)
        await s.twin.ok('pwrite', far, 'written', 9_000)
        await s.me.is('written', 'mread', mine, 7, 9_000)
        const before = await s.me.stat('f')
        await s.me.ok('mwrite', mine, 'later', 0)
        await s.me.ok('msync', mine)
        const after = await s.me.stat('f')
        s.yes('mtime moves with msync', BigInt(after.mtime) > BigInt(before.mtime))
        await s.me.is('later', 'pread_direct', await s.me.do('open', 'f', 'RDONLY|DIRECT'), 5, 0)
        await s.me.has({ size: 3 * 4_096 + 100 }, 'stat', 'f')
        await s.me.ok('mwrite', mine, 'kept', 100)
        await s.me.ok('munmap', mine)
        await s.me.do('close', fd)
        s.same('after munmap', (await s.twin.read('f')).slice(100, 104), 'kept')
        await s.twin.is('kept', 'mread', theirs, 4, 100)
      },
    },
    {
      clause: 'S-33',
      name: 'private mappings keep to themselves; mappings need the right descriptor',
      run: async (s) => {
        const fd = await fileOf(s, 'some bytes')
        const map = await s.me.ok('mmap', fd, 10, false)
        await s.me.ok('mwrite', map, 'MINE', 0)
        await s.me.is('some bytes', 'pread', fd, 20, 0)
        const readOnly = await s.me.do('open', 'f', 'RDONLY')
        await s.me.no('EACCES', 'mmap', readOnly, 10)
        await s.me.ok('mmap', readOnly, 10, true, false)
        await s.me.ok('mmap', readOnly, 10, false)
        const writeOnly = await s.me.do('open', 'f', 'WRONLY')
        await s.me.no('EACCES', 'mmap', writeOnly, 10, true, false)
        const { ino } = await s.me.do<Stat>('fstat', fd)
        await s.me.do('unlink', 'f')
        await s.me.is('MINE bytes', 'mread', map, 10, 0)
        await s.me.has({ ino, nlink: 0 }, 'fstat', fd)
      },
    },
  ],
}
