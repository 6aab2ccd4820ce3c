/** What a batch of the chain tells of itself, for the caches above the ledger. */
import path from 'node:path'
import t from 'tap'
import { ByteWriter } from '../../../../src/base/byte-writer.js'
import { fileId, ROOT_FILE } from '../../../../src/model/ids.js'
import { applyBatch } from '../../../../src/mount/metadata/chain.js'
import { encodeOperation } from '../../../../src/mount/metadata/operation-codec.js'
import { KIND } from '../../../../src/mount/metadata/operations.js'
import { openTables } from '../../../../src/mount/metadata/tables.js'
import { FILE, key, nextHead, now, scratch } from './support.js'

const FILES = 6_000

t.test('a batch tells of everything that it changed, however much that is', async (t) => {
  const random = (size: number) => Buffer.alloc(size, 1)
  const tables = openTables({ file: path.join(scratch(t), 'ledger.db'), key: key(), random, nowMs: Date.now })
  t.teardown(() => tables.database.close())
  const batch = new ByteWriter().u8(1)
  for (let at = 0; at < FILES; at++) {
    const file = fileId(Buffer.from(`${at}`.padStart(16, '.')))
    const rest = { mode: FILE, uid: 1, gid: 2, rdev: 0, time: now(), target: Buffer.alloc(0) }
    encodeOperation(batch, { kind: KIND.make, file, parent: ROOT_FILE, name: Buffer.from(`file ${at}`), ...rest })
  }
  const before = tables.inodes.version
  const changes = applyBatch(tables, Buffer.from(batch.bytes()), 1, nextHead())
  t.equal(changes.inodes.length, FILES + 1, 'the files and their folder')
  t.equal(new Set(changes.names.map((one) => one.name.toString())).size, FILES)
  t.ok(before < changes.asOf && changes.asOf <= tables.inodes.version, 'and since when it is so')
})
