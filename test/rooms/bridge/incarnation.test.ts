/** Which life of a bridge a database belongs to: what is found out at its start, and what hosts tell. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { Store, type StoreOptions } from '../../../src/bridge/persist/store.js'

const SECONDS = 1_700_000_000
const options: StoreOptions = { nowMs: () => SECONDS * 1_000 }

/** Started and stopped once; what its marks were. */
function life(dir: string, more: StoreOptions = {}) {
  const store = Store.open(dir, { ...options, ...more })
  const facts = { incarnation: store.incarnation, frozen: store.frozen, mark: store.incarnations.mark }
  return { store, ...facts }
}

function lived(dir: string, more: StoreOptions = {}) {
  const { store, ...facts } = life(dir, more)
  store.close()
  return facts
}

const books = (dir: string) => fs.readdirSync(dir).filter((name) => name.startsWith('bridge.db'))
const copyOf = (from: string, to: string, names: string[]) => {
  for (const name of names) fs.cpSync(path.join(from, name), path.join(to, name))
}

t.test('a first start is incarnation 1, and later starts stay in it', async (t) => {
  const dir = t.testdir()
  t.match(lived(dir), { incarnation: 1, frozen: false })
  const second = lived(dir)
  t.match(second, { incarnation: 1, frozen: false })
  t.ok(lived(dir).mark.tick > second.mark.tick)
})

t.test('a killed bridge stays in its incarnation', async (t) => {
  const dir = t.testdir({ bridge: {} })
  const again = path.join(dir, 'again')
  const { store } = life(path.join(dir, 'bridge'))
  fs.cpSync(path.join(dir, 'bridge'), again, { recursive: true })
  fs.rmSync(path.join(again, 'bridge.lock'), { force: true })
  t.match(lived(again), { incarnation: 1, frozen: false })
  store.close()
})

t.test('an older database beside a newer mark is another one, with or without its log', async (t) => {
  const dir = t.testdir({ bridge: {}, copy: {} })
  const [bridge, copy] = [path.join(dir, 'bridge'), path.join(dir, 'copy')]
  const { store } = life(bridge)
  copyOf(bridge, copy, books(bridge))
  store.incarnations.turn()
  store.close()
  for (const names of [['bridge.db', 'bridge.db-wal'], ['bridge.db']]) {
    for (const name of books(bridge)) fs.rmSync(path.join(bridge, name))
    copyOf(
      copy,
      bridge,
      names.filter((name) => fs.existsSync(path.join(copy, name))),
    )
    const back = lived(bridge)
    t.ok(back.incarnation >= SECONDS, String(back.incarnation))
    t.ok(back.frozen)
    t.equal(lived(bridge).incarnation, back.incarnation, 'once')
    t.ok(lived(bridge).frozen, 'until it is through')
  }
})

t.test('no database beside a mark, or beside a key that was here before, is none of a first start', async (t) => {
  const dir = t.testdir()
  const first = lived(dir)
  for (const name of books(dir)) fs.rmSync(path.join(dir, name))
  const second = lived(dir)
  t.match(second, { incarnation: SECONDS, frozen: true })
  t.ok(second.mark.tick > first.mark.tick)
  for (const name of fs.readdirSync(dir)) fs.rmSync(path.join(dir, name))
  t.match(lived(dir, { isSuccessor: true, nowMs: () => (SECONDS + 5) * 1_000 }), {
    incarnation: SECONDS + 5,
    frozen: true,
  })
})

t.test('a mark that cannot be read, or has gone, tells that nobody knows which database was here', async (t) => {
  for (const spoil of [(file: string) => fs.writeFileSync(file, '{'), (file: string) => fs.rmSync(file)]) {
    const dir = t.testdir()
    lived(dir)
    spoil(path.join(dir, 'bridge.mark'))
    t.match(lived(dir), { incarnation: SECONDS, frozen: true })
    fs.rmSync(dir, { recursive: true })
  }
})

t.test('a clock that went back gives no number twice', async (t) => {
  const dir = t.testdir()
  const { store } = life(dir)
  store.incarnations.raise(null)
  t.equal(store.incarnation, SECONDS)
  store.close()
  const { store: again } = life(dir, { nowMs: () => 1_000 })
  again.incarnations.raise(null)
  t.equal(again.incarnation, SECONDS + 1)
  t.ok(again.incarnations.learn({ incarnation: SECONDS + 7, tick: 3, nonce: Buffer.alloc(16) }))
  t.equal(again.incarnation, SECONDS + 8, 'above what a host knows')
  again.close()
})

t.test(
  'a folder that was put back whole: its own marks are known, those of the time after the copy are not',
  async (t) => {
    const dir = t.testdir({ bridge: {}, copy: {} })
    const [bridge, copy] = [path.join(dir, 'bridge'), path.join(dir, 'copy')]
    const before = lived(bridge)
    fs.cpSync(bridge, copy, { recursive: true })
    const after = lived(bridge)
    fs.rmSync(bridge, { recursive: true })
    fs.cpSync(copy, bridge, { recursive: true })
    const { store } = life(bridge)
    t.notOk(store.frozen)
    t.notOk(store.incarnations.learn(before.mark))
    t.notOk(store.incarnations.learn(store.incarnations.mark))
    t.notOk(store.frozen)
    t.ok(store.incarnations.learn(after.mark), 'the same tick, another life')
    t.ok(store.frozen)
    t.equal(store.incarnation, SECONDS)
    t.notOk(store.incarnations.learn(after.mark), 'an older incarnation is history')
    store.incarnations.thaw()
    t.notOk(store.frozen)
    store.close()
    t.match(lived(bridge), { incarnation: SECONDS, frozen: false })
  },
)
