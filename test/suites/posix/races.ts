/** Two processes at the same names at the same moment: one has success, the other is told what is so a moment later. */
import type { Argument } from './hand.js'
import type { Scene } from './scene.js'
import type { Family } from './suite.js'

const ROUNDS = 150

type Result = readonly [won: number, errnos: Readonly<Record<string, number>>]

/** Both try each of the names; all the losers got `errno`. */
async function contest(s: Scene, errno: string, operation: string, ...args: Argument[]): Promise<void> {
  const both = [s.me, s.twin].map((one) => one.do<Result>('every', operation, 0, ROUNDS, ...args))
  const [mine, theirs] = (await Promise.all(both)) as [Result, Result]
  s.same(`${operation}: successes`, mine[0] + theirs[0], ROUNDS)
  const lost = [mine, theirs].flatMap(([, errnos]) => Object.keys(errnos))
  s.same(`${operation}: the losers`, [...new Set(lost)], [errno])
}

async function names(s: Scene, folder: string): Promise<number> {
  return (await s.me.do<unknown[]>('scan', folder)).length - 2
}

export const races: Family = {
  name: 'races',
  cases: [
    {
      clause: 'S-34',
      name: 'one of two makes the name, of every kind',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.write('f')
        await contest(s, 'EEXIST', 'open', 'd/o#', 'WRONLY|CREAT|EXCL', 0o644)
        await contest(s, 'EEXIST', 'mkdir', 'd/m#', 0o755)
        await contest(s, 'EEXIST', 'mknod', 'd/n#', 'fifo', 0o644)
        await contest(s, 'EEXIST', 'symlink', 'to', 'd/s#')
        await contest(s, 'EEXIST', 'link', 'f', 'd/l#')
        s.same('names', await names(s, 'd'), 5 * ROUNDS)
        await s.me.has({ nlink: ROUNDS + 1 }, 'stat', 'f')
        await s.me.has({ nlink: ROUNDS + 2 }, 'stat', 'd')
      },
    },
    {
      clause: 'S-34',
      name: 'one of two removes or moves the name',
      run: async (s) => {
        for (const folder of ['d', 'e']) await s.me.do('mkdir', folder, 0o755)
        await s.me.do('fill', 'd', ROUNDS, 'f')
        await contest(s, 'ENOENT', 'unlink', 'd/f#')
        await s.me.do('every', 'mkdir', 0, ROUNDS, 'd/m#', 0o755)
        await contest(s, 'ENOENT', 'rmdir', 'd/m#')
        await s.me.do('fill', 'd', ROUNDS, 'r')
        await contest(s, 'ENOENT', 'rename', 'd/r#', 'e/r#')
        await s.me.has({ nlink: 2 }, 'stat', 'd')
        s.same('names', [await names(s, 'd'), await names(s, 'e')], [0, ROUNDS])
        await s.me.do('fill', 'd', ROUNDS, 'r')
        const onto = [
          s.me.do<Result>('every', 'rename2', 0, ROUNDS, 'd/r#', 'e/n#', 'NOREPLACE'),
          s.twin.do<Result>('every', 'rename2', 0, ROUNDS, 'e/r#', 'e/n#', 'NOREPLACE'),
        ]
        const [mine, theirs] = (await Promise.all(onto)) as [Result, Result]
        s.same('moved without replacing', mine[0] + theirs[0], ROUNDS)
        s.same('told why', new Set([...Object.keys(mine[1]), ...Object.keys(theirs[1])]), new Set(['EEXIST']))
      },
    },
    {
      clause: 'S-13',
      name: 'a name that is replaced again and again is never missing',
      run: async (s) => {
        await s.me.write('f', 'old')
        await s.twin.do('fill', '.', ROUNDS, 'new')
        const replacing = s.twin.do<Result>('every', 'rename', 0, ROUNDS, 'new#', 'f')
        const looking = s.me.do<Result>('every', 'open', 0, 2 * ROUNDS, 'f', 'RDONLY')
        const [replaced, looked] = await Promise.all([replacing, looking])
        s.same('replaced', replaced, [ROUNDS, {}])
        s.same('found', looked, [2 * ROUNDS, {}])
      },
    },
    {
      clause: 'S-13',
      name: 'names that are exchanged again and again are both always there',
      run: async (s) => {
        await s.me.write('a', 'x')
        await s.me.do('mkdir', 'b', 0o755)
        const exchanging = s.twin.do<Result>('every', 'rename2', 0, ROUNDS, 'a', 'b', 'EXCHANGE')
        const looking = s.me.do<Result>('every', 'lstat', 0, 2 * ROUNDS, 'b')
        s.same('exchanged, found', await Promise.all([exchanging, looking]), [
          [ROUNDS, {}],
          [2 * ROUNDS, {}],
        ])
        await s.me.has({ type: 'file', size: 1 }, 'stat', 'a')
      },
    },
    {
      clause: 'S-34',
      name: 'making in a folder while another removes it: each name is there, or the folder was not',
      run: async (s) => {
        const making = s.me.do<Result>('every', 'mkdir', 0, ROUNDS, 'd', 0o755)
        const removing = s.twin.do<Result>('every', 'rmdir', 0, ROUNDS, 'd')
        const [made, removed] = (await Promise.all([making, removing])) as [Result, Result]
        const there = (await s.me.hand.ask('lstat', ['d'])).errno === undefined ? 1 : 0
        s.same('made less removed', made[0] - removed[0], there)
        s.yes(
          'told why',
          Object.keys(made[1]).every((one) => one === 'EEXIST') &&
            Object.keys(removed[1]).every((one) => one === 'ENOENT'),
        )
      },
    },
    {
      clause: 'S-14',
      name: 'writes of two processes side by side, and cuts between them, leave whole words',
      run: async (s) => {
        await s.me.write('f')
        const [mine, theirs] = [await s.me.do('open', 'f', 'RDWR'), await s.twin.do('open', 'f', 'RDWR')]
        const writing: Promise<unknown>[] = []
        for (let i = 0; i < ROUNDS; i++) {
          writing.push(s.me.ok('pwrite', mine, 'mine', i * 8), s.twin.ok('pwrite', theirs, 'TWIN', i * 8 + 4))
          if (i % 10 === 9) writing.push(s.me.ok('fsync', mine), s.twin.ok('ftruncate', theirs, ROUNDS * 8))
        }
        await Promise.all(writing)
        s.same('bytes', await s.me.read('f'), 'mineTWIN'.repeat(ROUNDS))
      },
    },
  ],
}
