import t from 'tap'
import {
  FIRST_WINDOW_BYTES,
  Readahead,
  WINDOW_BYTES_MAX,
  WINDOW_BYTES_MIN,
} from '../../../../src/mount/reader/readahead.js'

const READ = 131_072
const MIB = 1_048_576

/** One read: what is fetched ahead for it. */
function read(ahead: Readahead, offset: number, size = READ, ino = 1) {
  return ahead.next(ahead.onRead(ino, offset, size))
}

t.test('the first read at offset 0 fetches the first window', async (t) => {
  t.same(read(new Readahead(), 0), { offset: READ, length: FIRST_WINDOW_BYTES })
})

t.test('elsewhere it takes a second read in order', async (t) => {
  const ahead = new Readahead()
  t.equal(read(ahead, 50 * MIB), null)
  t.same(read(ahead, 50 * MIB + READ), { offset: 50 * MIB + 2 * READ, length: FIRST_WINDOW_BYTES })
})

t.test('reads in order find everything ahead of them fetched, each byte once', async (t) => {
  const ahead = new Readahead()
  let known = READ
  for (let offset = 0; offset < 40 * MIB; offset += READ) {
    const next = read(ahead, offset)
    if (next) {
      t.equal(next.offset, known, 'no gap, no overlap')
      known = next.offset + next.length
    }
    if (known < offset + READ) t.fail(`${offset} was not fetched ahead`)
    if (known > offset + READ + FIRST_WINDOW_BYTES) t.fail('further ahead than the window')
  }
})

t.test('the order in which the kernel sends them does not matter', async (t) => {
  const ahead = new Readahead()
  read(ahead, 0)
  let fetched = 0
  for (const at of [2, 1, 3, 5, 4, 7, 6, 8]) fetched += read(ahead, at * READ)?.length ?? 0
  t.ok(fetched >= 4 * READ)
})

t.test('a reader that waits doubles the window, once for each window, up to 16 MiB', async (t) => {
  const ahead = new Readahead()
  const windows = new Set<number>()
  for (let offset = 0; offset < 200 * MIB; offset += READ) {
    const cursor = ahead.onRead(1, offset, READ)
    windows.add(cursor.windowBytes)
    ahead.starved(cursor, offset)
    ahead.starved(cursor, offset)
    ahead.next(cursor)
  }
  t.same([...windows], [1, 2, 4, 8].map((times) => FIRST_WINDOW_BYTES * times).concat(WINDOW_BYTES_MAX))
})

t.test('a reader that never waits keeps the first window; so does one that jumps about', async (t) => {
  const ahead = new Readahead()
  for (let offset = 0; offset < 20 * MIB; offset += READ)
    t.ok(ahead.onRead(1, offset, READ).windowBytes === FIRST_WINDOW_BYTES)
  for (let at = 1; at < 50; at++) {
    const cursor = ahead.onRead(2, ((at * 7_919) % 997) * 40 * MIB, READ)
    ahead.starved(cursor, cursor.next - READ)
    t.equal(ahead.next(cursor), null)
  }
})

t.test('a seek forward of up to 16 MiB keeps the cursor', async (t) => {
  const ahead = new Readahead()
  read(ahead, 0)
  read(ahead, READ)
  t.same(read(ahead, 10 * MIB), { offset: 10 * MIB + READ, length: FIRST_WINDOW_BYTES })
  t.equal(read(ahead, 40 * MIB), null, 'a longer one is a new beginning')
  t.equal(read(ahead, 5 * MIB), null, 'and so is one back')
})

t.test('a seek shrinks a window that had grown', async (t) => {
  const ahead = new Readahead()
  for (let offset = 0; offset < 30 * MIB; offset += READ) {
    const cursor = ahead.onRead(1, offset, READ)
    ahead.starved(cursor, offset)
    ahead.next(cursor)
  }
  const before = ahead.onRead(1, 30 * MIB, READ).windowBytes
  t.equal(ahead.onRead(1, 40 * MIB, READ).windowBytes, before / 2)
})

t.test('two readers of one file each have a cursor; a third takes the place of the older', async (t) => {
  const ahead = new Readahead()
  const places = [100 * MIB, 300 * MIB]
  for (const start of places) read(ahead, start)
  for (let at = 1; at < 6; at++) {
    for (const start of places) t.ok(ahead.onRead(1, start + at * READ, READ).inOrder === at)
  }
  read(ahead, 500 * MIB)
  t.equal(ahead.onRead(1, 300 * MIB + 6 * READ, READ).inOrder, 6)
  t.equal(ahead.onRead(1, 100 * MIB + 6 * READ, READ).inOrder, 0, 'forgotten')
})

t.test('under memory pressure all windows halve, and grow again', async (t) => {
  const ahead = new Readahead()
  for (const ino of [1, 2]) read(ahead, 0, READ, ino)
  ahead.shrink()
  for (const ino of [1, 2]) t.equal(ahead.onRead(ino, READ, READ).windowBytes, FIRST_WINDOW_BYTES / 2)
  for (let i = 0; i < 20; i++) ahead.shrink()
  t.equal(ahead.onRead(1, 2 * READ, READ).windowBytes, WINDOW_BYTES_MIN)
  const cursor = ahead.onRead(1, 3 * READ, READ)
  ahead.starved(cursor, 30 * MIB)
  t.equal(cursor.windowBytes, 2 * WINDOW_BYTES_MIN)
})

t.test('what could not be started is tried again; a closed file is forgotten', async (t) => {
  const ahead = new Readahead()
  const cursor = ahead.onRead(1, 0, READ)
  const first = ahead.next(cursor)
  t.ok(first)
  if (first) ahead.undo(cursor, first)
  t.same(ahead.next(cursor), first)
  ahead.forget(1)
  t.equal(read(ahead, READ), null)
})

t.test('thousands of files are no burden', async (t) => {
  const ahead = new Readahead()
  for (let ino = 1; ino < 5_000; ino++) read(ahead, 0, READ, ino)
  t.equal(ahead.onRead(4_999, READ, READ).inOrder, 2)
  t.equal(ahead.onRead(1, READ, READ).inOrder, 0)
})
