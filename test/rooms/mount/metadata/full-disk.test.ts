import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import { check } from '../../../../src/mount/metadata/check.js'
import * as mutations from '../../../../src/mount/metadata/mutations.js'
import * as io from '../../../../src/mount/metadata/mutations-io.js'
import { LedgerService } from '../../../../src/mount/metadata/service.js'
import { openTables } from '../../../../src/mount/metadata/tables.js'
import { mountSmallDisk, noSmallDisks } from '../../../support/small-disk.js'
import { key, now, open, ROOT, rampBytes, scratch } from './support.js'

/** A ledger on this thread, on a disk that can be made full: SQLite refuses pages beyond a count as it does for ENOSPC. */
function serviceOf(t: Parameters<typeof scratch>[0], reasons: (string | null)[]) {
  const key = SecretBytes.take(Buffer.alloc(32, 7))
  let drawn = 0
  const random = (size: number) => Buffer.alloc(size, ++drawn)
  const tables = openTables({ file: path.join(scratch(t), 'ledger.db'), key, random, nowMs: Date.now })
  const service = new LedgerService(tables, (reason) => reasons.push(reason))
  const { db } = tables.database
  const pages = (more: number) => {
    const used = db.pragma('page_count', { simple: true }) as number
    db.pragma(`max_page_count = ${used + more}`)
  }
  return { service, tables, fill: () => pages(2), free: () => db.pragma('max_page_count = 1000000') }
}

t.test(
  'on a full disk nothing acknowledged is lost: reads see it, writers are refused, room brings it back',
  async (t) => {
    const reasons: (string | null)[] = []
    const { service, tables, fill, free } = serviceOf(t, reasons)
    const file = (name: string) =>
      service.run('change', (tables) => {
        const parts = { parent: ROOT, name: Buffer.from(name), mode: 0o100644, uid: 0, gid: 0, time: now() }
        return mutations.make(tables, parts).inodes[0]?.ino ?? 0
      })
    const write = (ino: number, seed: number) =>
      service.run('acknowledged', (tables) => {
        const parts = { ino, offset: 0, length: 300_000, time: now(), killSuidGid: false }
        return io.write(tables, parts, rampBytes(seed, 300_000))
      })
    const read = (ino: number) => {
      const pieces = service.run('read', (tables) => io.plan(tables, ino, 0, 300_000)).pieces
      return Buffer.concat(pieces.map((piece) => (piece.kind === 'bytes' ? piece.bytes : Buffer.alloc(piece.length))))
    }
    const a = file('a')
    service.sync()
    fill()
    const b = file('b')
    write(a, 1)
    write(b, 2)
    t.throws(() => service.sync(), { code: 'no-space' })
    t.match(service.readOnlyReason, /disk is full/)
    t.throws(() => file('c'), { code: 'no-space' })
    t.ok(read(a).equals(rampBytes(1, 300_000)))
    write(b, 3)
    t.ok(read(b).equals(rampBytes(3, 300_000)), 'bytes that a writer was promised are still taken')
    t.throws(() => service.sync(), { code: 'no-space' })
    t.ok(read(b).equals(rampBytes(3, 300_000)))
    free()
    service.sync()
    t.equal(service.readOnlyReason, null)
    t.same(
      reasons.map((one) => one !== null),
      [true, false],
      'said once each',
    )
    const c = file('c')
    t.ok(c > b, 'inode numbers that were told are not given again')
    service.sync()
    t.same(check(tables), [])
    t.ok(read(b).equals(rampBytes(3, 300_000)))
    await service.close()
  },
)

t.test('a step that fails half-way leaves what came before it', async (t) => {
  const { service, tables } = serviceOf(t, [])
  const make = (name: string) => {
    const parts = { parent: ROOT, name: Buffer.from(name), mode: 0o100644, uid: 0, gid: 0, time: now() }
    return mutations.make(tables, parts).inodes[0]?.ino ?? 0
  }
  const a = make('a')
  t.throws(() =>
    tables.database.step(() => {
      tables.dentries.add(ROOT, Buffer.from('half'), 99, 0o100644)
      throw new Error('broken')
    }),
  )
  t.equal(tables.dentries.get(ROOT, Buffer.from('half')), null)
  t.equal(tables.dentries.get(ROOT, Buffer.from('a'))?.ino, a)
  t.ok(make('b') > a)
  t.same(check(tables), [])
  await service.close()
})

const WAL_AND_MORE_BYTES = 64 * 1_048_576

t.test('S-15 what is in the log is made durable on a disk without a free byte', { skip: noSmallDisks() }, async (t) => {
  const folder = scratch(t)
  mountSmallDisk(t, folder, WAL_AND_MORE_BYTES)
  const file = path.join(folder, 'ledger.db')
  const random = (size: number) => Buffer.alloc(size, 1)
  const tables = openTables({ file, key: key(), random, nowMs: Date.now })
  const service = new LedgerService(tables, () => {})
  const make = (name: string) =>
    service.run('change', (tables) => {
      const parts = { parent: ROOT, name: Buffer.from(name), mode: 0o100644, uid: 0, gid: 0, time: now() }
      return mutations.make(tables, parts).inodes[0]?.ino ?? 0
    })
  const write = (ino: number) =>
    service.run('acknowledged', (tables) => {
      const parts = { ino, offset: 0, length: 900_000, time: now(), killSuidGid: false }
      return io.write(tables, parts, rampBytes(ino, 900_000))
    })
  const ino = make('a')
  service.sync()
  write(ino)
  tables.database.commit()
  const filler = path.join(folder, 'filler')
  t.throws(() => fs.writeFileSync(filler, Buffer.alloc(WAL_AND_MORE_BYTES)), { code: 'ENOSPC' })
  t.throws(() => tables.database.checkpoint('RESTART'), 'the database file cannot grow either')
  service.sync()
  t.equal(service.readOnlyReason, null)
  write(ino)
  t.throws(() => service.sync(), { code: 'no-space' }, 'what is in memory only is not')
  fs.rmSync(filler)
  service.sync()
  await service.close()
  const again = await open(folder)
  t.match(await again.attributes(ino), { size: 900_000 })
  t.same(await again.check(), [])
  t.notOk(await again.care.isBehind())
  await again.close()
})
