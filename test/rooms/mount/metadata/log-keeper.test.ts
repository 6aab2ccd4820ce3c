import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import { CALLS } from '../../../../src/mount/metadata/calls.js'
import { LOG_BYTES_KEPT } from '../../../../src/mount/metadata/database.js'
import { logBoundsOf, rowDiskBytes } from '../../../../src/mount/metadata/disk-room.js'
import * as mutations from '../../../../src/mount/metadata/mutations.js'
import * as io from '../../../../src/mount/metadata/mutations-io.js'
import { LedgerService } from '../../../../src/mount/metadata/service.js'
import { openTables } from '../../../../src/mount/metadata/tables.js'
import { until } from '../../../support/named.js'
import { FakeHosts, FILE, makeFile, now, open, publish, ROOT, rampBytes, scratch, write } from './support.js'

// Hundreds of megabytes through SQLite, on a machine that does other things.
t.setTimeout(110_000)

const MIB = 1_048_576
const sizeOf = (file: string) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** A ledger on this thread that takes its disk for a small one. */
function serviceOf(t: Parameters<typeof scratch>[0], diskBytes: number) {
  const file = path.join(scratch(t), 'ledger.db')
  let drawn = 0
  const random = (size: number) => Buffer.alloc(size, ++drawn)
  const tables = openTables({ file, key: SecretBytes.take(Buffer.alloc(32, 7)), random, nowMs: Date.now })
  const state = { trims: 0 }
  const trim = () => void state.trims++
  const service = new LedgerService(tables, () => {}, { diskBytes, trim })
  const parts = { parent: ROOT, name: Buffer.from('a'), mode: FILE, uid: 0, gid: 0, time: now() }
  const ino = mutations.make(tables, parts).inodes[0]?.ino ?? 0
  const writeRow = (at: number) => {
    const row = { ino, offset: at * MIB, length: MIB, time: now(), killSuidGid: false }
    service.run('acknowledged', (t) => io.write(t, row, Buffer.from(rampBytes(at, MIB))))
    service.settle()
  }
  const call = (method: string, ...args: unknown[]) => CALLS[method]?.(service, [], ...(args as never[]))
  const logBytes = () => sizeOf(`${file}-wal`)
  return { service, tables, state, writeRow, call, logBytes, fileBytes: () => sizeOf(file) + logBytes() }
}

t.test('the log stays below its bound, whatever is written', async (t) => {
  const { service, writeRow, logBytes } = serviceOf(t, 192 * MIB)
  const { bytesMax } = logBoundsOf(192 * MIB)
  let longest = 0
  for (let at = 0; at < 40; at++) {
    writeRow(at)
    longest = Math.max(longest, logBytes())
  }
  t.ok(longest <= bytesMax, `${longest} of ${bytesMax} bytes`)
  t.ok(longest > bytesMax / 3, 'it was used')
  await service.close()
})

t.test('what the disk owes for is all that was accepted and is not in its files yet', async (t) => {
  const { service, writeRow, fileBytes } = serviceOf(t, 192 * MIB)
  const inAll = () => service.room().owedBytes + fileBytes()
  // The first rows take pages that are free already.
  const before = inAll() - service.room().spareBytes
  for (let at = 0; at < 40; at++) {
    writeRow(at)
    const more = inAll() - before
    if (more < (at + 1) * MIB) t.fail(`${more} bytes are counted for ${at + 1} rows`)
  }
  service.sync()
  // A checkpoint that runs beside it may make it look like more for a moment.
  await until(() => inAll() - before <= 41 * MIB)
  await service.close()
})

t.test('free pages are room, and rows that wait for their group have taken theirs', async (t) => {
  const { service, tables, writeRow } = serviceOf(t, 192 * MIB)
  for (let at = 0; at < 20; at++) writeRow(at)
  service.sync()
  mutations.setAttributes(tables, { ino: 2, size: 0, time: now() })
  service.sync()
  const spare = service.room().spareBytes
  t.ok(spare >= 20 * MIB)
  writeRow(0)
  t.equal(service.room().spareBytes, spare - rowDiskBytes(MIB))
  await service.close()
})

t.test('an export holds the log for a while, and is given up before the log is far too long', async (t) => {
  const { service, writeRow, call, logBytes } = serviceOf(t, 192 * MIB)
  const { bytesMax } = logBoundsOf(192 * MIB)
  const cut = call('cut', true) as { epoch: number }
  t.ok(service.views.any)
  let at = 0
  for (; logBytes() < 2 * bytesMax; at++) writeRow(at)
  t.ok(service.views.any, 'a disk with room lets it go on')
  for (; at < 110; at++) writeRow(at)
  t.notOk(service.views.any)
  t.throws(() => call('exportPiece', cut.epoch), { code: 'no-such-epoch' })
  t.ok(logBytes() <= 5 * bytesMax)
  await service.close()
})

t.test('memory goes back when a flood is over', async (t) => {
  const { service, tables, state, writeRow } = serviceOf(t, 192 * MIB)
  const rows = LOG_BYTES_KEPT / MIB + 10
  for (let at = 0; at < rows; at++) writeRow(at)
  service.sync()
  t.equal(state.trims, 0)
  mutations.setAttributes(tables, { ino: 2, size: 0, time: now() })
  service.sync()
  service.settle()
  await until(() => state.trims > 0, 60_000)
  await service.close()
})

t.test('what is published leaves the disk: rows, and the log that carried them', async (t) => {
  const folder = scratch(t)
  const ledger = await open(folder)
  const hosts = new FakeHosts()
  const { ino } = await makeFile(ledger, ROOT, 'a')
  const rows = 2 * (LOG_BYTES_KEPT / MIB)
  for (let at = 0; at < rows; at++) await write(ledger, ino, at * MIB, rampBytes(at % 7, MIB))
  await ledger.sync()
  const file = path.join(folder, 'ledger.db')
  const bytes = () => Math.max(sizeOf(file), sizeOf(`${file}-wal`))
  // Some of it may have been moved from the one to the other.
  t.ok(sizeOf(file) + sizeOf(`${file}-wal`) > LOG_BYTES_KEPT * 1.5)
  const cut = await ledger.cut()
  if (cut === null) return void t.fail('nothing to cut')
  const read: Buffer[] = []
  for (const { stagedId } of cut.stagedRows) read.push(...(await ledger.readStaged([stagedId])))
  const { mapping, infos } = hosts.store(cut.stagedRows, read)
  await ledger.materialise(cut.epoch, mapping, infos)
  await publish(ledger, cut.epoch)
  await until(() => bytes() <= LOG_BYTES_KEPT + MIB, 60_000)
  await makeFile(ledger, ROOT, 'b')
  t.same(await ledger.check(), [])
  await ledger.close()
})
