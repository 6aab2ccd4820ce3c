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
import { mutate } from '../../../support/mutate.js'
import { FakeHosts, nextHead, now, scratch } from './support.js'

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
const hosts = new FakeHosts()
const info = hosts.seal(Buffer.alloc(5_000, 1))

function make(id: FileId, parent: FileId, text: string, mode = 0o100644): Operation {
  const rest = { uid: 1, gid: 2, rdev: 0, time: now(), target: Buffer.alloc(0) }
  return { kind: KIND.make, file: id, parent, name: name(text), mode, ...rest }
}

function batchOf(operations: readonly Operation[]): Buffer {
  const writer = new ByteWriter().u8(1)
  for (const one of operations) encodeOperation(writer, one)
  return Buffer.from(writer.bytes())
}

/** One of every kind, on files and names of its own. */
function whole(round: number): Operation[] {
  const file = (n: number) => fileId(Buffer.from(`${n}`.padEnd(8, '.') + `${round}`.padStart(8, '.')))
  const inRoot = (text: string) => name(`${text}${round}`)
  return [
    make(file(1), ROOT_FILE, `d${round}`, 0o040755),
    make(file(2), file(1), 'f'),
    make(file(3), file(1), 'g'),
    { kind: KIND.segment, info },
    { kind: KIND.extent, file: file(2), offset: 0, length: 5_000, segment: info.segment, segmentOffset: 0 },
    { kind: KIND.attributes, file: file(2), size: 5_000, mtime: now(), mode: 0o600, uid: 5 },
    { kind: KIND.hole, file: file(2), offset: 100, length: 200 },
    { kind: KIND.allocate, file: file(3), offset: 0, length: 10_000 },
    { kind: KIND.link, file: file(2), parent: ROOT_FILE, name: inRoot('hard'), time: now() },
    { kind: KIND.setXattr, file: file(2), name: name('user.x'), value: name('y'), time: now() },
    { kind: KIND.removeXattr, file: file(2), name: name('user.x'), time: now() },
    {
      ...{ kind: KIND.rename, parent: file(1), name: name('g'), newParent: ROOT_FILE, newName: inRoot('h') },
      ...{ exchange: false, time: now() },
    },
    { kind: KIND.unlink, parent: ROOT_FILE, name: inRoot('h'), time: now() },
    { kind: KIND.reap, file: file(3) },
  ]
}

const WHOLE = whole(0)

t.test('a changed batch is refused with a known code or leaves a sound tree, never half of one', (t) => {
  const seed = testSeed()
  t.comment(`SEED=${seed}`)
  const dice = new Dice(seed)
  const tables = tablesOf(t)
  let epoch = 0
  let applied = 0
  for (let i = 0; i < FUZZ; i++) {
    const before = tables.inodes.files
    try {
      applyBatch(tables, mutate(dice, batchOf(whole(i))), ++epoch, nextHead())
      applied++
    } catch (error) {
      epoch--
      if (!(error instanceof AppError) || !CODES.has(error.code)) throw error
      if (tables.inodes.files !== before) t.fail('a refused batch left inodes')
    }
    if (i % 200 === 0) t.same(check(tables), [], `sound after ${i}`)
  }
  t.same(check(tables), [])
  t.comment(`${applied} of ${FUZZ} changed batches were still batches`)
  t.end()
})

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
