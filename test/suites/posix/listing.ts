/** Folders: names of any bytes, what a listing says, and listings while names come and go. */
import { KINDS, make } from './kinds.js'
import type { Scene } from './scene.js'
import type { Family } from './suite.js'

type Entry = [name: string, ino: number, type: string]

const ODD_NAMES = [
  ...[
    'a b',
    ' ',
    ' x',
    'x ',
    '-',
    '--help',
    '...',
    '..a',
    '.a',
    'new\nline',
    'tab\t',
    '\x01\x02\x7f',
    '*?[',
    '"\'`$(x)',
    '\\',
  ],
  ...[
    'caf\xe9',
    'caf\xc3\xa9',
    'cafe\xcc\x81',
    '\xff\xfe',
    '\x80',
    '\xc3',
    '\xed\xa0\x80',
    '\xf0\x9f\x98\x80',
    'A',
    'a',
    '\xc3\x84',
    '\xc3\xa4',
  ],
  ...['con', 'x'.repeat(255), '\xff'.repeat(255), '\xc3\xa4'.repeat(127)],
]

async function list(s: Scene, path: string): Promise<string[]> {
  return (await s.me.do<Entry[]>('scan', path)).map(([name]) => name).filter((name) => name !== '.' && name !== '..')
}

/** Reads the rest of an open listing. */
async function rest(s: Scene, handle: number): Promise<string[]> {
  const names: string[] = []
  for (
    let e = await s.me.do<Entry | null>('readdir', handle);
    e !== null;
    e = await s.me.do<Entry | null>('readdir', handle)
  ) {
    names.push(e[0])
  }
  return names
}

/** Also for the long tier, with more. */
export async function manyNames(s: Scene, count: number): Promise<void> {
  await s.me.do('mkdir', 'd', 0o755)
  await s.me.ok('fill', 'd', count)
  const names = await list(s, 'd')
  s.same('names listed', names.length, count)
  s.same('distinct names', new Set(names).size, count)
  s.yes(
    'in the order of creation',
    names.every((name, i) => name === `n${i}`),
  )
  await s.me.has({ nlink: 2 }, 'stat', 'd')
  await s.me.has({ type: 'file' }, 'stat', `d/n${count - 1}`)
  await s.me.no(['ENOTEMPTY', 'EEXIST'], 'rmdir', 'd')
  await s.me.is([count, 0], 'drain', 'd')
  await s.me.ok('rmdir', 'd')
}

export const listing: Family = {
  name: 'listing',
  cases: [
    {
      clause: 'S-2',
      name: 'names are bytes: each is kept, found, listed, renamed and removed as it is',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        for (const [i, name] of ODD_NAMES.entries()) {
          await s.me.ok('open', `d/${name}`, 'WRONLY|CREAT|EXCL', 0o644)
          await s.me.do('truncate', `d/${name}`, i)
        }
        s.same('listed', (await list(s, 'd')).sort(), [...ODD_NAMES].sort())
        for (const [i, name] of ODD_NAMES.entries()) {
          await s.me.has({ size: i }, 'stat', `d/${name}`)
          await s.me.ok('rename', `d/${name}`, 'x')
          await s.me.no('ENOENT', 'stat', `d/${name}`)
          await s.me.ok('rename', 'x', `d/${name}`)
          await s.me.ok('unlink', `d/${name}`)
        }
        s.same('none left', await list(s, 'd'), [])
        for (const name of ['CON', 'Caf\xe9', 'cafe\xcc\x81']) await s.me.no('ENOENT', 'stat', `d/${name}`)
      },
    },
    {
      clause: 'S-32',
      name: 'an entry says its type and inode number, also of dots',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        for (const kind of KINDS) await make(s, kind, `d/${kind}`)
        await s.me.do('link', 'd/file', 'd/again')
        const entries = await s.me.do<Entry[]>('scan', 'd')
        s.same('entries', entries.length, KINDS.length + 3)
        for (const [name, ino, type] of entries) {
          await s.me.has({ ino, type }, 'lstat', `d/${name}`)
          if (name !== '.' && name !== '..' && name !== 'again') s.same('type', type, name)
        }
        s.same(
          'dots come first',
          entries.slice(0, 2).map(([name]) => name),
          ['.', '..'],
        )
      },
    },
    {
      clause: 'S-10',
      name: '10,000 names, and deleting them while listing',
      // Once is enough: who asks makes no difference.
      run: (s) => manyNames(s, s.privileged ? 10_000 : 1_000),
    },
    {
      clause: 'S-10',
      name: 'names that come and go do not hide or double the others',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.do('fill', 'd', 3_000, 'old')
        const handle = await s.me.do('opendir', 'd')
        const seen: string[] = []
        for (let i = 0; i < 500; i++) seen.push((await s.me.do<Entry>('readdir', handle))[0])
        await s.twin.do('fill', 'd', 500, 'new')
        for (let i = 0; i < 3_000; i += 7) await s.twin.do('unlink', `d/old${i}`)
        await s.twin.do('rename', 'd/old2999', 'd/renamed')
        seen.push(...(await rest(s, handle)))
        const stayed = Array.from({ length: 2_999 }, (_, i) => i).filter((i) => i % 7 !== 0)
        const all = new Set(seen)
        s.same(
          'missed',
          stayed.filter((i) => !all.has(`old${i}`)),
          [],
        )
        s.same('doubled', seen.length, all.size)
        s.same('now', (await list(s, 'd')).length, 3_000 - 429 + 500)
      },
    },
    {
      clause: 'S-32',
      name: 'telldir and seekdir: every place can be returned to, also after its entry has gone',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        await s.me.do('fill', 'd', 300)
        const handle = await s.me.do('opendir', 'd')
        const places: [place: string, next: string][] = []
        for (;;) {
          const place = await s.me.do<string>('telldir', handle)
          const entry = await s.me.do<Entry | null>('readdir', handle)
          if (entry === null) break
          places.push([place, entry[0]])
        }
        s.same('entries', places.length, 302)
        for (const [place, name] of [...places].reverse().filter((_, i) => i % 9 === 0)) {
          await s.me.do('seekdir', handle, place)
          s.same(`at ${place}`, (await s.me.do<Entry>('readdir', handle))[0], name)
        }
        await s.me.do('unlink', 'd/n100')
        const [place] = places.find(([, name]) => name === 'n100') as [string, string]
        await s.me.do('seekdir', handle, place)
        s.same('behind the one that has gone', (await s.me.do<Entry>('readdir', handle))[0], 'n101')
        await s.me.do('rewinddir', handle)
        s.same('from the start', (await rest(s, handle)).length, 301)
      },
    },
    {
      clause: 'S-32',
      name: 'rewinddir shows what is there by then, and a removed folder has nothing',
      run: async (s) => {
        await s.me.do('mkdir', 'd', 0o755)
        const handle = await s.me.do('opendir', 'd')
        s.same('empty', await rest(s, handle), ['.', '..'])
        await s.twin.write('d/x')
        await s.me.do('rewinddir', handle)
        s.same('with x', await rest(s, handle), ['.', '..', 'x'])
        await s.twin.do('unlink', 'd/x')
        await s.twin.do('rmdir', 'd')
        await s.me.do('rewinddir', handle)
        s.same('nothing', await rest(s, handle), [])
        await s.me.do('closedir', handle)
      },
    },
  ],
}
