import t from 'tap'
import { ByteWriter } from '../../../../src/base/byte-writer.js'
import { decodeBatch, encodeOperation } from '../../../../src/mount/metadata/operation-codec.js'
import type { Operation } from '../../../../src/mount/metadata/operations.js'
import { hex, readVectors } from '../../../support/vectors.js'

interface Vectors {
  good: { name: string; operation: Record<string, unknown>; bytes: string }[]
  broken: { name: string; bytes: string; code: string }[]
}
const vectors = readVectors<Vectors>('operations/operations')

/** {hex} back to buffers. */
function revive(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  const fields = value as Record<string, unknown>
  if (typeof fields.hex === 'string') return hex(fields.hex)
  return Object.fromEntries(Object.entries(fields).map(([key, one]) => [key, revive(one)]))
}

for (const { name, operation, bytes } of vectors.good) {
  t.test(`the golden bytes of: ${name}`, (t) => {
    const wanted = revive(operation) as Operation
    const writer = new ByteWriter()
    encodeOperation(writer, wanted)
    t.equal(writer.bytes().toString('hex'), bytes)
    decodeBatch(hex(`01${bytes}`), (found) => t.match(found, wanted))
    t.end()
  })
}

t.test('broken batches are refused by their codes', (t) => {
  for (const { name, bytes, code } of vectors.broken) t.throws(() => decodeBatch(hex(bytes), () => {}), { code }, name)
  t.end()
})
