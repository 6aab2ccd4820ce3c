import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { AppError } from '../../../../src/base/errors.js'
import { OP } from '../../../../src/mount/fuse/opcodes.js'
import { Dice, testSeed } from '../../../support/dice.js'
import { text, u64 } from '../../../support/kernel-requests.js'
import { MemoryFileSystem } from '../../../support/memory-filesystem.js'
import { fsWith, openCounter } from './counter.js'
import { SAMPLES } from './samples.js'

const EINTR = 4
const EIO = 5
const EINVAL = 22
const ENOSYS = 38
const ENOTCONN = 107
const ESTALE = 116

t.test('an interrupt reaches the call that waits, which may answer EINTR', async (t) => {
  let signal: AbortSignal | undefined
  const fs = fsWith({
    fsync: (_ino: number, _fh: number, _dataOnly: boolean, ctx: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => {
        signal = ctx.signal
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))
      }),
  })
  const { put, ear } = openCounter(fs)
  put({ opcode: OP.FSYNC, unique: 2 ** 33 + 4, body: Buffer.alloc(16) })
  put({ opcode: OP.INTERRUPT, unique: 2 ** 33 + 5, body: u64(2 ** 33 + 6) })
  t.equal(signal?.aborted, false, 'another call is not meant')
  put({ opcode: OP.INTERRUPT, unique: 2 ** 33 + 5, body: u64(2 ** 33 + 4) })
  t.equal(signal?.aborted, true)
  await Promise.resolve()
  t.match(ear.take(), { unique: 2 ** 33 + 4, errno: EINTR })
})

t.test('at the end everything that waits is answered once, and what comes later is dropped', async (t) => {
  let finish: () => void = () => undefined
  const fs = fsWith({ fsync: () => new Promise<void>((resolve) => (finish = resolve)) })
  const { put, ear, replies } = openCounter(fs)
  put({ opcode: OP.FSYNC, unique: 4, body: Buffer.alloc(16) })
  replies.abandon()
  t.match(ear.take(), { unique: 4, errno: ENOTCONN })
  finish()
  await Promise.resolve()
  t.same(ear.heard, [])
})

t.test('an unexpected failure is EIO, and the log says where but not what', async (t) => {
  const lines: string[] = []
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  for (const failing of [
    () => {
      throw new TypeError('secret-name')
    },
    () => Promise.reject(new AppError('some-code', 'secret-name')),
    () => ({}),
  ]) {
    const { put, ear } = openCounter(fsWith({ getAttributes: failing }), pino(stream))
    put({ opcode: OP.GETATTR, body: Buffer.alloc(16) })
    await Promise.resolve()
    t.equal(ear.take().errno, EIO)
  }
  t.equal(lines.length, 3)
  t.match(lines[1], /some-code/)
  t.notMatch(lines.join(), /secret-name/)
})

t.test('where the file system has no flush, the kernel is told at open, and refused if it asks', async (t) => {
  const open = { opcode: OP.OPEN, body: Buffer.alloc(8) }
  t.equal(openCounter(new MemoryFileSystem()).ask(open).body.readUInt32LE(8), 0b100010)
  t.equal(
    openCounter(fsWith({ flush: () => undefined }))
      .ask(open)
      .body.readUInt32LE(8),
    0b10,
  )
  t.equal(openCounter(new MemoryFileSystem()).ask({ opcode: OP.FLUSH, body: Buffer.alloc(24) }).errno, ENOSYS)
  const { ask } = openCounter(fsWith({ flush: () => undefined }))
  t.equal(ask({ opcode: OP.FLUSH, body: Buffer.alloc(24) }).errno, 0)
})

t.test('a malformed request is answered EINVAL, an impossible inode ESTALE, an unknown kind ENOSYS', async (t) => {
  const { ask } = openCounter(new MemoryFileSystem())
  t.equal(ask({ opcode: OP.LOOKUP, body: text('a/b') }).errno, EINVAL)
  t.equal(ask({ opcode: OP.LOOKUP, ino: 2 ** 60, body: text('a') }).errno, ESTALE)
  t.equal(ask({ opcode: 4095 }).errno, ENOSYS)
})

t.test('whatever comes, every request that wants an answer gets exactly one', async (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const silent: number[] = [OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT]
  const { put, ear } = openCounter(new MemoryFileSystem())
  let wrong = 0
  for (let i = 0; i < 5000; i++) {
    const sample = dice.pick(SAMPLES)
    const content = Buffer.from(sample.body)
    for (let flips = dice.roll(0, 4); flips > 0 && content.length > 0; flips--) {
      content[dice.roll(0, content.length - 1)] = dice.roll(0, 3)
    }
    put({ opcode: sample.opcode, ino: dice.roll(1, 5), unique: i + 1, body: content })
    const heard = ear.heard.splice(0)
    const expected = silent.includes(sample.opcode) ? 0 : 1
    if (heard.length !== expected || heard.some((reply) => reply.unique !== i + 1)) wrong++
  }
  t.equal(wrong, 0)
})
