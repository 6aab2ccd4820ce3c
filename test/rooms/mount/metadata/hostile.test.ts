import path from 'node:path'
import t from 'tap'
import { ByteWriter } from '../../../../src/base/byte-writer.js'
import { AppError } from '../../../../src/base/errors.js'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import { type FileId, fileId, ROOT_FILE } from '../../../../src/model/ids.js'
import { applyBatch } from '../../../../src/mount/metadata/chain.js'
import { check } from '../../../../src/mount/metadata/check.js'
import { decodeBatch, encodeOperation } from '../../../../src/mount/metadata/operation-codec.js'
import { KIND, type Operation } from '../../../../src/mount/metadata/operations.js'
import { openTables, type Tables } from '../../../../src/mount/metadata/tables.js'
import { Dice, testSeed } from '../../../support/dice.js'
import { makeOperation, wholeTree } from '../../../support/operations-of-all-kinds.js'
import { nextHead, scratch } from './support.js'

const CODES = new Set(['malformed', 'unsupported-version', 'chain-mismatch'])
const FUZZ = 2_000

function tablesOf(t: Parameters<typeof scratch>[0]): Tables {
  const key = SecretBytes.take(Buffer.alloc(32, 7))
  const random = (size: number) => Buffer.alloc(size, 1)
  const tables = openTables({ file: path.join(scratch(t), 'ledger.db'), key, random, nowMs: Date.now })
  t.teardown(() => tables.database.close())
  return tables
}

const file = (n: number) => fileId(Buffer.alloc(16, n))
const name = (text: string) => Buffer.from(text)
function batchOf(operations: readonly Operation[]): Buffer {
  const writer = new ByteWriter().u8(1)
  for (const one of operations) encodeOperation(writer, one)
  return Buffer.from(writer.bytes())
}

const WHOLE = wholeTree(0)
const info = (WHOLE.find((one) => one.kind === KIND.segment) as Extract<Operation, { kind: 11 }>).info
const make = (id: FileId, parent: FileId, text: string, mode?: number) => makeOperation(id, parent, name(text), mode)

t.test('operations in any order and on any file do not break the ledger', (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const tables = tablesOf(t)
  const files = [ROOT_FILE, ...[1, 2, 3, 4, 5].map(file)]
  let epoch = 0
  for (let i = 0; i < FUZZ; i++) {
    const list = Array.from({ length: dice.roll(1, 3) }, () => scrambled(dice, files))
    try {
      applyBatch(tables, batchOf(list), ++epoch, nextHead())
    } catch (error) {
      epoch--
      if (!(error instanceof AppError) || !CODES.has(error.code)) throw error
    }
    if (i % 100 === 0) t.same(check(tables), [], `sound after ${i}`)
  }
  t.same(check(tables), [])
  t.end()
})

/** One of the whole batch's operations with other files, names and places. */
function scrambled(dice: Dice, files: readonly FileId[]): Operation {
  const one: Record<string, unknown> = { ...dice.pick(WHOLE) }
  for (const field of ['file', 'parent', 'newParent']) if (field in one) one[field] = dice.pick(files)
  for (const field of ['name', 'newName']) if (field in one) one[field] = name(dice.pick(['a', 'b', 'user.x']))
  if ('offset' in one) one.offset = dice.roll(0, 20_000)
  if ('length' in one) one.length = dice.roll(1, 20_000)
  if ('segmentOffset' in one) one.segmentOffset = dice.roll(0, 100)
  if ('size' in one) one.size = dice.roll(0, 30_000)
  if (one.kind === KIND.make) one.mode = dice.pick([0o100644, 0o040755, 0o010600])
  if (one.kind === KIND.rename) one.exchange = dice.roll(0, 1) === 1
  return one as unknown as Operation
}

t.test('operations come back as they were written', (t) => {
  const found: Operation[] = []
  decodeBatch(batchOf(WHOLE), (operation) => found.push(operation))
  t.equal(found.length, WHOLE.length)
  t.ok(batchOf(found).equals(batchOf(WHOLE)))
  t.end()
})

t.test('impossible operations are refused before anything is looked up', (t) => {
  const cases: [string, Operation][] = [
    ['a slash in a name', make(file(1), ROOT_FILE, 'a/b')],
    ['an empty name', make(file(1), ROOT_FILE, '')],
    ['the name of every directory', make(file(1), ROOT_FILE, '..')],
    ['a range beyond the largest file', { kind: KIND.hole, file: file(1), offset: 2 ** 52, length: 1 }],
    ['an empty range', { kind: KIND.allocate, file: file(1), offset: 0, length: 0 }],
    ['a segment of nothing', { kind: KIND.segment, info: { ...info, plainLength: 0 } }],
    ['more data shards than shards', { kind: KIND.segment, info: { ...info, dataShards: 9 } }],
  ]
  for (const [why, operation] of cases)
    t.throws(() => decodeBatch(batchOf([operation]), () => {}), { code: 'malformed' }, why)
  t.throws(() => decodeBatch(Buffer.from([1, 99, 0]), () => {}), { code: 'unsupported-version' })
  t.throws(
    () => decodeBatch(Buffer.from([1, 0, 0]), () => {}),
    { code: 'unsupported-version' },
    'staged writes never leave',
  )
  t.throws(() => decodeBatch(Buffer.from([2]), () => {}), { code: 'unsupported-version' })
  t.throws(() => decodeBatch(Buffer.from([1, 1, 0x80, 0x80]), () => {}), { code: 'malformed' })
  t.throws(() => decodeBatch(Buffer.alloc(20, 0xff), () => {}), { code: 'unsupported-version' })
  t.end()
})
