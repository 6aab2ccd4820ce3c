/** Locks between processes: flock, fcntl by process, and fcntl by open file. */
import type { Actor, Scene } from './scene.js'
import type { Family } from './suite.js'

async function both(s: Scene, flags = 'RDWR'): Promise<[number, number]> {
  await s.me.write('f', 'bytes')
  return [await s.me.do('open', 'f', flags), await s.twin.do('open', 'f', flags)]
}

/** Held -> wanted -> whether they go together. */
const PAIRS = [
  ['SH', 'SH', true],
  ['SH', 'EX', false],
  ['EX', 'SH', false],
  ['EX', 'EX', false],
] as const
const RECORD = { SH: 'RDLCK', EX: 'WRLCK' } as const

/** Record locks of one kind, held and wanted by different hands. */
async function records(s: Scene, command: 'SETLK' | 'OFD_SETLK', get: 'GETLK' | 'OFD_GETLK'): Promise<void> {
  const [mine, theirs] = await both(s)
  for (const [held, wanted, together] of PAIRS) {
    await s.me.ok('lock', mine, command, RECORD[held], 10, 10)
    const expected = together ? null : 'EAGAIN'
    for (const [start, length] of [
      [10, 10],
      [0, 11],
      [19, 1],
      [15, 0],
      [0, 0],
    ] as const) {
      await s.twin.expect(expected, 'lock', theirs, command, RECORD[wanted], start, length)
      const found = together ? { type: 'UNLCK' } : { type: RECORD[held], start: 10, length: 10 }
      await s.twin.has(found, 'lock', theirs, get, RECORD[wanted], start, length)
      await s.twin.do('lock', theirs, command, 'UNLCK', 0, 0)
    }
    for (const [start, length] of [
      [0, 10],
      [20, 5],
      [20, 0],
    ] as const) {
      await s.twin.ok('lock', theirs, command, RECORD[wanted], start, length)
      await s.twin.has({ type: 'UNLCK' }, 'lock', theirs, get, RECORD[wanted], start, length)
      await s.twin.do('lock', theirs, command, 'UNLCK', 0, 0)
    }
    await s.me.ok('lock', mine, command, 'UNLCK', 12, 3)
    await s.twin.ok('lock', theirs, command, 'WRLCK', 12, 3)
    await s.me.no('EAGAIN', 'lock', mine, command, 'RDLCK', 11, 3)
    await s.twin.ok('lock', theirs, command, 'UNLCK', 0, 0)
    await s.me.ok('lock', mine, command, 'UNLCK', 0, 0)
  }
}

async function waits(
  s: Scene,
  hold: (actor: Actor, fd: number) => Promise<unknown>,
  wait: readonly string[],
): Promise<void> {
  const [mine, theirs] = await both(s)
  await hold(s.me, mine)
  await s.twin.no('EINTR', 'lock_within', theirs, 0.05, ...wait)
  const waiting = s.twin.ok('lock_within', theirs, 5, ...wait)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await s.me.do('close', mine)
  await waiting
}

export const locks: Family = {
  name: 'locks',
  cases: [
    {
      clause: 'S-29',
      name: 'flock: shared go together, exclusive with nobody, by open file',
      run: async (s) => {
        const [mine, theirs] = await both(s, 'RDONLY')
        for (const [held, wanted, together] of PAIRS) {
          await s.me.ok('flock', mine, `${held}|NB`)
          await s.twin.expect(together ? null : 'EAGAIN', 'flock', theirs, `${wanted}|NB`)
          await s.me.ok('flock', mine, 'UN')
          await s.twin.ok('flock', theirs, `${wanted}|NB`)
          await s.twin.ok('flock', theirs, 'UN')
        }
        const again = await s.me.do('open', 'f', 'RDONLY')
        await s.me.ok('flock', mine, 'EX|NB')
        await s.me.no('EAGAIN', 'flock', again, 'SH|NB')
        await s.me.ok('flock', mine, 'SH|NB')
        await s.me.ok('flock', again, 'SH|NB')
        await s.me.no('EAGAIN', 'flock', again, 'EX|NB')
        await s.me.do('close', mine)
        await s.me.ok('flock', again, 'EX|NB')
        await s.twin.no('EAGAIN', 'flock', theirs, 'SH|NB')
      },
    },
    {
      clause: 'S-29',
      name: 'flock of folders, by any name of a file, and after it has none',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        const [mine, theirs] = [await s.me.do('open', 'd', 'RDONLY'), await s.twin.do('open', 'd', 'RDONLY')]
        await s.me.ok('flock', mine, 'EX|NB')
        await s.twin.no('EAGAIN', 'flock', theirs, 'EX|NB')
        await s.me.write('f')
        await s.me.do('link', 'f', 'g')
        const [f, g] = [await s.me.do('open', 'f', 'RDONLY'), await s.twin.do('open', 'g', 'RDONLY')]
        await s.me.ok('flock', f, 'EX|NB')
        await s.twin.no('EAGAIN', 'flock', g, 'EX|NB')
        await s.me.do('unlink', 'f')
        await s.me.do('unlink', 'g')
        await s.twin.no('EAGAIN', 'flock', g, 'EX|NB')
        await s.me.do('flock', f, 'UN')
        await s.twin.ok('flock', g, 'EX|NB')
      },
    },
    { clause: 'S-29', name: 'fcntl by process: ranges', run: (s) => records(s, 'SETLK', 'GETLK') },
    { clause: 'S-29', name: 'fcntl by open file: ranges', run: (s) => records(s, 'OFD_SETLK', 'OFD_GETLK') },
    {
      clause: 'S-29',
      name: 'a process loses its fcntl locks when it closes any descriptor of the file; an open file does not',
      run: async (s) => {
        const [mine, theirs] = await both(s)
        const second = await s.me.do('open', 'f', 'RDONLY')
        await s.me.ok('lock', mine, 'SETLK', 'WRLCK')
        await s.twin.no('EAGAIN', 'lock', theirs, 'SETLK', 'RDLCK')
        await s.me.do('close', second)
        await s.twin.ok('lock', theirs, 'SETLK', 'WRLCK')
        await s.twin.do('lock', theirs, 'SETLK', 'UNLCK')
        const third = await s.me.do('open', 'f', 'RDONLY')
        await s.me.ok('lock', mine, 'OFD_SETLK', 'WRLCK')
        await s.me.do('close', third)
        await s.twin.no('EAGAIN', 'lock', theirs, 'OFD_SETLK', 'RDLCK')
        const fourth = await s.me.do('open', 'f', 'RDWR')
        await s.me.no('EAGAIN', 'lock', fourth, 'OFD_SETLK', 'WRLCK')
        await s.me.do('close', mine)
        await s.me.ok('lock', fourth, 'OFD_SETLK', 'WRLCK')
      },
    },
    {
      clause: 'S-29',
      name: 'a lock needs the right descriptor, and does not hinder writing',
      run: async (s) => {
        await s.me.write('f', 'bytes')
        const [read, write] = [await s.me.do('open', 'f', 'RDONLY'), await s.twin.do('open', 'f', 'WRONLY')]
        await s.me.no('EBADF', 'lock', read, 'SETLK', 'WRLCK')
        await s.me.ok('lock', read, 'SETLK', 'RDLCK')
        await s.twin.no('EBADF', 'lock', write, 'SETLK', 'RDLCK')
        await s.twin.is(5, 'pwrite', write, 'BYTES', 0)
        await s.me.is('BYTES', 'pread', read, 9, 0)
        await s.twin.ok('ftruncate', write, 0)
        await s.me.ok('flock', read, 'EX|NB')
      },
    },
    {
      clause: 'S-29',
      name: 'who waits for a flock gets it when it is free, or EINTR by a signal',
      run: (s) => waits(s, (actor, fd) => actor.ok('flock', fd, 'EX|NB'), ['flock']),
    },
    {
      clause: 'S-29',
      name: 'who waits for an fcntl lock gets it when it is free, or EINTR by a signal',
      run: (s) => waits(s, (actor, fd) => actor.ok('lock', fd, 'SETLK', 'WRLCK'), ['fcntl', 'SETLKW', 'WRLCK']),
    },
    {
      clause: 'S-29',
      name: 'two processes that would wait for each other: one is told EDEADLK',
      run: async (s) => {
        const [mine, theirs] = await both(s)
        await s.me.ok('lock', mine, 'SETLK', 'WRLCK', 0, 1)
        await s.twin.ok('lock', theirs, 'SETLK', 'WRLCK', 1, 1)
        const waiting = s.twin.ok('lock_within', theirs, 5, 'fcntl', 'SETLKW', 'WRLCK', 0, 1)
        await new Promise((resolve) => setTimeout(resolve, 30))
        await s.me.no('EDEADLK', 'lock_within', mine, 5, 'fcntl', 'SETLKW', 'WRLCK', 1, 1)
        await s.me.ok('lock', mine, 'SETLK', 'UNLCK')
        await waiting
      },
    },
  ],
}
