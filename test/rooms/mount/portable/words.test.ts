/** What goes to and comes from fuse-native's C side: words of 32 bits, its memory, numbers of open files. */
import t from 'tap'
import type { Attributes } from '../../../../src/mount/fuse/filesystem.js'
import { Handles } from '../../../../src/mount/portable/handles.js'
import { wide as wideOf } from '../../../../src/mount/portable/operations.js'
import { mountOptions } from '../../../../src/mount/portable/options.js'
import { entryWords, statfsWords, statWords, timestampOf } from '../../../../src/mount/portable/stat-words.js'
import { timesOf } from '../../../../src/mount/portable/thread-memory.js'

const FILE: Attributes = {
  ...{ ino: 2 ** 32 - 1, mode: 0o100640, nlink: 3, uid: 4, gid: 5, rdev: 6, size: 2 ** 52, blocks: 2 ** 33 + 1 },
  atime: { sec: 1_000_000_000, nsec: 123_456_789 },
  mtime: { sec: -1, nsec: 999_999_999 },
  ctime: { sec: 2 ** 33, nsec: 999_999 },
}

/** Both words of a number. */
const wide = (words: Uint32Array, at: number): number => (words[at] ?? 0) + (words[at + 1] ?? 0) * 2 ** 32

t.test('attributes keep 64 bits where there are two words; times are milliseconds, before 1970 none', async (t) => {
  const words = statWords(FILE)
  t.same([...words.subarray(0, 3)], [0o100640, 4, 5])
  t.same([wide(words, 3), words[6], words[7], words[8], wide(words, 10)], [2 ** 52, 3, 2 ** 32 - 1, 6, 2 ** 33 + 1])
  t.same([wide(words, 12), wide(words, 14), wide(words, 16)], [1_000_000_000_123, 0, 2 ** 33 * 1000])
  t.equal(statWords(FILE, 4)[6], 4)
})

t.test('sizes and offsets that no exact number can say are beyond every file, not another size', async (t) => {
  t.equal(wideOf(7, 1), 2 ** 32 + 7)
  t.equal(wideOf(1, 2 ** 21), Number.MAX_SAFE_INTEGER)
  t.equal(wideOf(0, 2 ** 30), Number.MAX_SAFE_INTEGER)
})

t.test('an inode number that would be cut short is refused; in a listing it is not known', async (t) => {
  t.throws(() => statWords({ ...FILE, ino: 2 ** 32 }), { code: 'not-supported' })
  t.equal(entryWords(2 ** 32 + 7, 0o100000)[7], 2 ** 32 - 1)
  t.equal(entryWords(7, 0o100000)[7], 7)
})

t.test('a drive of more than 16 TiB is told in larger units, to the same size', async (t) => {
  const s = { blockSize: 4096, blocks: 2 ** 40, blocksFree: 2 ** 39, blocksAvailable: 2 ** 38 }
  const words = statfsWords({ ...s, files: 2 ** 40, filesFree: 5, nameMax: 255 })
  const unit = words[1] as number
  t.equal(words[0], 4096)
  t.same(
    [words[2], words[3], words[4]].map((count) => (count as number) * unit),
    [2 ** 52, 2 ** 51, 2 ** 50],
  )
  t.same([words[5], words[6], words[10]], [2 ** 32 - 1, 5, 255])
})

t.test('times are read where they were left out, and only from memory that shows what is known', async (t) => {
  const memory = Buffer.alloc(200)
  memory.writeUInt32LE(12, 8)
  memory.writeBigInt64LE(981_173_106_789n, 104)
  memory.writeBigInt64LE(-5n, 112)
  const [low, high] = [981_173_106_789 % 2 ** 32, Math.floor(981_173_106_789 / 2 ** 32)]
  t.same(timesOf(memory, low, high), { atimeMs: 981_173_106_789, mtimeMs: -5 })
  t.equal(timesOf(memory, low + 1, high), null, 'another time was passed')
  memory.writeUInt32LE(13, 8)
  t.equal(timesOf(memory, low, high), null, 'another operation')
  t.equal(timesOf(Buffer.alloc(119), 0, 0), null, 'too little')
  memory.writeUInt32LE(12, 8)
  memory.writeBigInt64LE(-1000n, 104)
  t.same(timesOf(memory, 2 ** 32 - 1000, 2 ** 32 - 1), { atimeMs: -1000, mtimeMs: -5 }, 'before 1970')
  t.same(timestampOf(1_234), { sec: 1, nsec: 234_000_000 })
})

t.test('an open file has a number above zero until it is closed, once', async (t) => {
  const handles = new Handles()
  const [a, b] = [handles.add(7, 2 ** 40), handles.add(7, 2 ** 40 + 1)]
  t.same([a, b], [1, 2])
  t.same(handles.take(a), { ino: 7, fh: 2 ** 40 })
  t.throws(() => handles.take(a), { code: 'bad-handle' })
  t.throws(() => handles.get(0), { code: 'bad-handle' })
  t.equal(handles.isOpen(7), true)
  t.equal(handles.add(8, 3), a, 'numbers come again')
  t.same(handles.takeAll().length, 2)
  t.equal(handles.isOpen(7), false)
})

t.test('what fuse-native does not pass on travels in the name', async (t) => {
  const { fsname, entryTimeout, timeout } = mountOptions('shardrive:x@1', { allowOther: false, readOnly: true })
  t.match(fsname, /^shardrive:x@1,use_ino,big_writes,max_write=131072,.*,ro$/)
  t.same([entryTimeout, timeout], ['0', false])
})
