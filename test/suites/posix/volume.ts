/** The file system as a whole: its size, its numbers, and what making things durable answers. */
import { KINDS, make } from './kinds.js'
import type { Stat } from './scene.js'
import type { Family } from './suite.js'

interface Space {
  readonly bsize: number
  readonly frsize: number
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
  readonly namemax: number
}

export const volume: Family = {
  name: 'volume',
  cases: [
    {
      clause: 'S-16',
      name: 'statfs is sane, and the same from everywhere',
      run: async (s) => {
        await s.me.write('f', 'bytes')
        const space = await s.me.ok<Space>('statvfs', 'f')
        s.same('names', space.namemax, 255)
        s.yes('whole blocks', space.frsize >= 512 && space.bsize % space.frsize === 0)
        s.yes('a size', space.blocks > 0)
        s.yes('free is less than all', space.bfree <= space.blocks && space.bavail <= space.bfree)
        s.yes('inodes', space.files > 0 && space.ffree <= space.files && space.ffree > 0)
        const fd = await s.me.do('open', 'f', 'RDONLY')
        for (const where of ['.', '..', fd])
          await s.me.has({ blocks: space.blocks, frsize: space.frsize }, 'statvfs', where)
        await s.me.do('fill', '.', 50)
        const after = await s.me.do<Space>('statvfs', '.')
        s.same('inodes less', space.ffree - after.ffree, 50)
      },
    },
    {
      clause: 'S-11',
      name: 'an inode number is one thing, on one device, and is not used again',
      run: async (s) => {
        const seen = new Set<number>()
        const { dev } = await s.me.stat('.')
        for (let round = 0; round < 5; round++) {
          for (const kind of KINDS) {
            await make(s, kind, kind)
            const stat = await s.me.stat(kind)
            s.yes(`inode number ${stat.ino} is new`, !seen.has(stat.ino) && stat.ino > 1)
            s.same('device', stat.dev, dev)
            seen.add(stat.ino)
            await s.me.do(kind === 'directory' ? 'rmdir' : 'unlink', kind)
          }
        }
      },
    },
    {
      clause: 'S-5',
      name: 'sizes and blocks of things without bytes',
      run: async (s) => {
        for (const kind of KINDS) {
          await make(s, kind, kind)
          const { size, blksize } = await s.me.stat(kind)
          const sizes: Partial<Record<string, number>> = { file: 5, symlink: 'nowhere'.length, directory: size }
          s.same(`size of ${kind}`, size, sizes[kind] ?? 0)
          s.yes(`block size of ${kind}`, blksize >= 512)
        }
      },
    },
    {
      clause: 'S-8',
      name: 'fsync, fdatasync and sync are answered for everything that is open',
      run: async (s) => {
        await s.me.write('f', 'bytes')
        await s.me.do('mkdir', 'd', 0o755)
        for (const [path, flags] of [
          ['f', 'RDWR'],
          ['f', 'RDONLY'],
          ['f', 'WRONLY|APPEND'],
          ['d', 'RDONLY'],
        ] as const) {
          const fd = await s.me.do('open', path, flags)
          await s.me.ok('fsync', fd)
          await s.me.ok('fdatasync', fd)
        }
        const orphan = await s.me.do('open', 'f', 'RDWR')
        await s.me.do('unlink', 'f')
        await s.me.do('pwrite', orphan, 'more', 10)
        await s.me.ok('fsync', orphan)
        const { size } = await s.me.do<Stat>('fstat', orphan)
        s.same('size', size, 14)
        await s.me.ok('sync')
        await s.me.do('mknod', 'fifo', 'fifo', 0o600)
        await s.me.no('EINVAL', 'fsync', await s.me.do('open', 'fifo', 'RDWR'))
      },
    },
  ],
}
