import path from 'node:path'
import t from 'tap'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import * as mutations from '../../../../src/mount/metadata/mutations.js'
import * as io from '../../../../src/mount/metadata/mutations-io.js'
import { LedgerService } from '../../../../src/mount/metadata/service.js'
import { openTables } from '../../../../src/mount/metadata/tables.js'
import { FILE, ledgerOf, now, ROOT, rampBytes, scratch } from './support.js'

const MIB = 1_048_576

/** A ledger on this thread whose released memory is overwritten: who still looked at it would see that. */
function serviceOf(t: Parameters<typeof scratch>[0]) {
  const key = SecretBytes.take(Buffer.alloc(32, 7))
  let drawn = 0
  const random = (size: number) => Buffer.alloc(size, ++drawn)
  const state = { releasedBytes: 0 }
  const release = (bytes: Buffer) => {
    state.releasedBytes += bytes.length
    bytes.fill(0xee)
  }
  const tables = openTables({ file: path.join(scratch(t), 'ledger.db'), key, random, nowMs: Date.now, release })
  const service = new LedgerService(tables, () => {})
  const parts = { parent: ROOT, name: Buffer.from('a'), mode: FILE, uid: 0, gid: 0, time: now() }
  const ino = mutations.make(tables, parts).inodes[0]?.ino ?? 0
  const write = (at: number) => {
    const row = { ino, offset: at * MIB, length: MIB, time: now(), killSuidGid: false }
    service.run('acknowledged', (t) => io.write(t, row, Buffer.from(rampBytes(at, MIB))))
  }
  const isThere = (at: number) => {
    const piece = service.run('read', (t) => io.plan(t, ino, at * MIB, MIB)).pieces[0]
    return piece?.kind === 'bytes' && piece.bytes.equals(rampBytes(at, MIB))
  }
  return { service, tables, state, write, isThere }
}

t.test('rows are let go of when they are on the disk, and read from there', async (t) => {
  const { service, state, write, isThere } = serviceOf(t)
  const rows = Array.from({ length: 40 }, (_, at) => at)
  for (const at of rows) {
    write(at)
    service.settle()
  }
  service.sync()
  t.ok(state.releasedBytes >= 20 * MIB, `${state.releasedBytes} bytes were released of ${rows.length} MiB`)
  t.same(
    rows.filter((at) => !isThere(at)),
    [],
  )
  await service.close()
})

t.test('a group that has to be done again still has its bytes', async (t) => {
  const { service, tables, write, isThere } = serviceOf(t)
  const rows = Array.from({ length: 40 }, (_, at) => at)
  const { db } = tables.database
  // Most of the rows fit: the failure comes when memory of the first ones could have been let go of already.
  const fill = () => db.pragma(`max_page_count = ${(db.pragma('page_count', { simple: true }) as number) + 1_000}`)
  service.sync()
  fill()
  for (const at of rows) write(at)
  t.throws(() => service.sync(), { code: 'no-space' })
  t.throws(() => service.sync(), { code: 'no-space' })
  db.pragma('max_page_count = 1000000')
  service.sync()
  t.same(
    rows.filter((at) => !isThere(at)),
    [],
  )
  await service.close()
})

t.test('a row can be taken more than once, from memory, from the disk and before it is there', async (t) => {
  const ledger = await ledgerOf(t)
  const parts = { parent: ROOT, name: Buffer.from('a'), mode: FILE, uid: 0, gid: 0, time: now() }
  const ino = (await ledger.make(parts)).inodes[0]?.ino ?? 0
  const write = (at: number, length: number) => {
    const room = new Uint8Array(MIB)
    room.set(rampBytes(at, length))
    return ledger.write({ ino, offset: at * MIB, bytes: room.buffer, length, time: now(), killSuidGid: false })
  }
  const lengths = [MIB, 700_000, 10]
  for (const [at, length] of lengths.entries()) await write(at, length)
  const take = async () => {
    const rows = await ledger.readStaged([1, 2, 3])
    return rows.every((row, at) => row.equals(rampBytes(at, lengths[at] as number)))
  }
  t.ok(await take(), 'of the open group')
  await ledger.sync()
  t.ok(await take(), 'from memory')
  t.ok(await take(), 'from the disk')
  const { pieces } = await ledger.plan(ino, 0, MIB)
  t.ok(pieces[0]?.kind === 'bytes' && pieces[0].bytes.equals(rampBytes(0, MIB)))
  t.ok(await take(), 'and again')
})
