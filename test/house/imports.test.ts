import t from 'tap'
import { type Import, importsOf, readSource } from './source.js'

const files = readSource()
const imports = files.flatMap(importsOf)
const ours = imports.filter((one) => one.isOurs)

/** docs/architecture.md, "Import arrows": a file imports its own room and lower levels. */
const levelOf: Record<string, number> = {
  main: 5,
  app: 5,
  mount: 4,
  host: 4,
  bridge: 4,
  'bridge-client': 3,
  rtc: 3,
  sqlite: 3,
  segment: 3,
  permits: 3,
  wire: 2,
  crypto: 2,
  erasure: 2,
  model: 1,
  addon: 1,
  base: 0,
}
const modes = ['mount', 'host', 'bridge']

/** Inside mount: bytes flow door -> rules -> writer or reader -> ledger and cache. */
const mountArrows: Record<string, readonly string[]> = {
  fuse: ['vfs'],
  portable: ['fuse'],
  vfs: ['writer', 'reader', 'metadata'],
  writer: ['metadata', 'cache'],
  reader: ['metadata', 'cache'],
  sync: ['writer', 'metadata'],
  pins: ['metadata', 'cache'],
  metadata: [],
  cache: [],
  control: [],
  account: [],
}

/** A package that only one room may know, so that it can be replaced there alone. */
const onlyIn: Record<string, readonly string[]> = {
  'node-datachannel': ['src/rtc/'],
  'better-sqlite3': ['src/sqlite/'],
  'fuse-native': ['src/mount/portable/'],
  yargs: ['src/app/'],
  'cli-progress': ['src/app/'],
  fastify: ['src/bridge/api/'],
  'sodium-native': ['src/crypto/'],
}

function topRoom(name: string): string {
  const [, room = ''] = name.split('/')
  return room.replace(/\.ts$/, '')
}

function line(one: Import): string {
  return `${one.from.name} imports ${one.target}`
}

t.test('every room of src/ has a level', async (t) => {
  const unknown = [...new Set(files.map((file) => topRoom(file.name)))].filter((room) => levelOf[room] === undefined)
  t.same(unknown, [], 'a room without a level has no place in the order of imports: give it one here and in the docs')
})

t.test('every import of our own leads to a file', async (t) => {
  const names = new Set(files.map((file) => file.name))
  t.same(ours.filter((one) => !names.has(one.target) && one.target !== 'package.json').map(line), [])
})

t.test('a file imports its own room and lower levels, never sideways, never up', async (t) => {
  const wrong = ours.filter((one) => {
    const [from, to] = [topRoom(one.from.name), topRoom(one.target)]
    if (from === to || (from === 'main' && to === 'app')) return false
    return (levelOf[to] ?? 9) >= (levelOf[from] ?? -1)
  })
  t.same(
    wrong.map(line),
    [],
    'a room that knows its neighbours cannot be tested or replaced alone: declare the small interface you need, and let app/ connect the two',
  )
})

t.test('mount, host and bridge do not know each other', async (t) => {
  const wrong = ours.filter((one) => {
    const [from, to] = [topRoom(one.from.name), topRoom(one.target)]
    return from !== to && modes.includes(from) && modes.includes(to)
  })
  t.same(
    wrong.map(line),
    [],
    'they run on different machines of different owners: what they share is bytes, in wire/ and permits/',
  )
})

t.test('inside mount, imports follow the bytes: fuse, vfs, writer or reader, metadata and cache', async (t) => {
  const wrong = ours.filter((one) => {
    const [from, to] = [one.from.name.split('/')[2] ?? '', one.target.split('/')[2] ?? '']
    if (topRoom(one.from.name) !== 'mount' || topRoom(one.target) !== 'mount') return false
    if (from === to || to.endsWith('.ts')) return false
    // The door declares what it asks of a file system, as every consumer does; the vfs conforms, and knows nothing else of it.
    if (from === 'vfs' && one.target === 'src/mount/fuse/filesystem.ts') return !one.typeOnly
    return !(mountArrows[from] ?? []).includes(to)
  })
  t.same(
    wrong.map(line),
    [],
    'writer and reader meet only in the ledger, and the control face is handed what it shows by app/',
  )
})

t.test('each borrowed machine is known to one room', async (t) => {
  const wrong = imports.filter((one) => {
    const rooms = onlyIn[one.target]
    return rooms !== undefined && !one.typeOnly && !rooms.some((room) => one.from.name.startsWith(room))
  })
  t.same(wrong.map(line), [], 'a library that is known in one room can be changed there without a word to the others')
})

/** base reads the level of the log, fusermount passes the environment on to the program that it starts. */
const environmentReaders = /^src\/(?:app\/|base\/|mount\/fuse\/program\.ts$)/

t.test('only the composition root reads the environment', async (t) => {
  const wrong = files.filter((file) => /process\.env\b/.test(file.text) && !environmentReaders.test(file.name))
  t.same(
    wrong.map((file) => file.name),
    [],
    'settings arrive as arguments, so that two drives in one process can differ',
  )
})

t.test('there are no import cycles', async (t) => {
  const next = new Map<string, string[]>()
  for (const one of ours) {
    if (one.typeOnly || one.dynamic) continue
    next.set(one.from.name, [...(next.get(one.from.name) ?? []), one.target])
  }
  const done = new Set<string>()
  const cycles: string[] = []
  const walk = (name: string, trail: readonly string[]): void => {
    if (trail.includes(name)) {
      cycles.push([...trail.slice(trail.indexOf(name)), name].join(' -> '))
      return
    }
    if (done.has(name)) return
    for (const target of next.get(name) ?? []) walk(target, [...trail, name])
    done.add(name)
  }
  for (const file of files) walk(file.name, [])
  t.same(
    cycles,
    [],
    'in a cycle no file can be understood first, and what is undefined at start depends on who came first',
  )
})
