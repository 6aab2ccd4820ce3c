import t from 'tap'
import { decodeHeader, decodeRequest } from '../../../../src/mount/fuse/decode.js'
import { OP } from '../../../../src/mount/fuse/opcodes.js'
import type { Request } from '../../../../src/mount/fuse/request.js'
import { body, kernelRequest, received, text, u32, u64 } from '../../../support/kernel-requests.js'
import { SAMPLES } from './samples.js'

const nameOf = (opcode: number): string => Object.entries(OP).find(([, code]) => code === opcode)?.[0] ?? String(opcode)

function decode(bytes: Buffer, poison?: number): Request {
  const from = received(bytes, poison)
  const header = decodeHeader(from)
  return decodeRequest(from, header.opcode, header.ino)
}

t.test('every kind of request has a sample here', async (t) => {
  const kinds = new Set(SAMPLES.map((sample) => sample.opcode))
  t.same(
    Object.values(OP).filter((opcode) => !kinds.has(opcode)),
    [],
  )
})

t.test('a header says who asks, about which inode, and under which number', async (t) => {
  const header = decodeHeader(
    received(kernelRequest({ opcode: 1, ino: 2 ** 50, unique: 2 ** 33 + 6, body: text('a') })),
  )
  const ids = { uid: 1000, gid: 1001, pid: 4242 }
  t.strictSame(header, { opcode: 1, uniqueLow: 6, uniqueHigh: 2, ino: 2 ** 50, ...ids })
})

for (const sample of SAMPLES) {
  t.test(`${nameOf(sample.opcode)} means what the kernel says`, async (t) => {
    t.strictSame(decode(kernelRequest(sample)), sample.means)
  })
}

t.test('names that a kernel never sends are refused', async (t) => {
  const refused = { code: 'malformed' }
  for (const name of ['', 'a/b', 'x'.repeat(4096)]) {
    t.throws(() => decode(kernelRequest({ opcode: OP.LOOKUP, body: text(name) })), refused, `"${name.slice(0, 5)}"`)
  }
  t.throws(() => decode(kernelRequest({ opcode: OP.LOOKUP, body: Buffer.from('endless') })), refused)
})

t.test('integers above 2^53 and wrong lengths are refused', async (t) => {
  const refused = { code: 'malformed' }
  const write = body(u64(2n ** 53n), u64(5), u32(0), u32(0), u64(0), u32(0), u32(0))
  t.throws(() => decode(kernelRequest({ opcode: OP.WRITE, body: write })), refused)
  t.throws(() => decode(kernelRequest({ opcode: OP.FORGET, body: u64(-1) })), refused)
  const short = kernelRequest({ opcode: OP.STATFS })
  short.writeUInt32LE(41, 0)
  t.throws(() => decode(short), refused)
  t.throws(() => decode(kernelRequest({ opcode: OP.BATCH_FORGET, body: body(u32(0xffffffff), u32(0)) })), refused)
})

t.test('S-28 a position above 2^53 is beyond every file, and nothing worse', async (t) => {
  const write = body(u64(5), u64(2n ** 62n), u32(0), u32(0), u64(0), u32(0), u32(0))
  t.match(decode(kernelRequest({ opcode: OP.WRITE, body: write })), { fh: 5, offset: Number.MAX_SAFE_INTEGER })
  const seek = body(u64(5), u64(-8192), u32(3), u32(0))
  t.match(decode(kernelRequest({ opcode: OP.LSEEK, body: seek })), { fh: 5, offset: Number.MAX_SAFE_INTEGER })
})

t.test('an unknown kind is known to be unknown', async (t) => {
  t.strictSame(decode(kernelRequest({ opcode: 4095, ino: 3 })), { op: 0, ino: 3 })
})
