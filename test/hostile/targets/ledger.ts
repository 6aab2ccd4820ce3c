/** What the ledger takes from the chain, and what it finds in its own rows: operations, batches, snapshots, placements, sealed rows. */
import path from 'node:path'
import { ByteReader } from '../../../src/base/byte-reader.js'
import { ByteWriter } from '../../../src/base/byte-writer.js'
import { AppError } from '../../../src/base/errors.js'
import { openCached, openStaged, sealCached, sealStaged } from '../../../src/crypto/at-rest.js'
import { SecretBytes } from '../../../src/crypto/secret.js'
import { hostId, type SegmentId } from '../../../src/model/ids.js'
import type { Placement } from '../../../src/model/segment.js'
import { applyBatch } from '../../../src/mount/metadata/chain.js'
import { check } from '../../../src/mount/metadata/check.js'
import { getHead, putHead, putMeta } from '../../../src/mount/metadata/facts.js'
import { decodeBatch, encodeOperation } from '../../../src/mount/metadata/operation-codec.js'
import { KIND, type Operation } from '../../../src/mount/metadata/operations.js'
import { SnapshotImport } from '../../../src/mount/metadata/snapshot-import.js'
import { openTables, type Tables } from '../../../src/mount/metadata/tables.js'
import { Placements } from '../../../src/mount/reader/placements.js'
import { decodeSnapshotPayload, encodeSnapshotPayload } from '../../../src/mount/sync/snapshot-payload.js'
import { sealSegment } from '../../../src/segment/seal.js'
import { noiseBytes } from '../../support/noise.js'
import { wholeTree } from '../../support/operations-of-all-kinds.js'
import { scratchFolder } from '../../support/scratch-folder.js'
import { secretOf } from '../../support/secrets.js'
import { hex, readVectors } from '../../support/vectors.js'
import { decoder, type Opened, spoilBytes, type Target } from '../target.js'

const CODEC = ['src/mount/metadata/operation-codec.ts']
const DECODE_CODES = ['malformed', 'unsupported-version']
const golden = readVectors<{ good: { name: string; operation: { kind: number }; bytes: string }[] }>(
  'operations/operations',
)
const CANARY = Buffer.from('canary: the name of a file')

export function batchOf(operations: readonly Operation[]): Buffer {
  const writer = new ByteWriter().u8(1)
  for (const one of operations) encodeOperation(writer, one)
  return Buffer.from(writer.bytes())
}

/** Never in a batch from outside. */
const LOCAL_KINDS: readonly string[] = ['stagedWrite']

const kinds = (Object.keys(KIND) as (keyof typeof KIND)[])
  .filter((name) => !LOCAL_KINDS.includes(name))
  .map((name) =>
    decoder(
      `operation ${name}`,
      CODEC,
      {
        samples: golden.good
          .filter(({ operation }) => operation.kind === KIND[name])
          .map(({ bytes }) => hex(`01${bytes}`)),
        take: (input) => {
          const found: Operation[] = []
          decodeBatch(input, (operation) => found.push(operation))
          if (!batchOf(found).equals(input)) throw new Error('read as another batch')
        },
        codes: DECODE_CODES,
      },
      [`KIND.${name}`],
    ),
  )

/** Empty ledgers, one after the other. */
function ledgers(): { open(): Tables; remove(): void } {
  const { folder, remove } = scratchFolder()
  let number = 0
  const open = () =>
    openTables({
      file: path.join(folder, `ledger-${number++}.db`),
      key: SecretBytes.take(Buffer.alloc(32, 7)),
      random: (size) => Buffer.alloc(size, 1),
      nowMs: Date.now,
    })
  return { open, remove }
}

const headAt = (sequence: number) => ({ sequence, hash: Buffer.alloc(32, 3) })
/** fsck after so many inputs: it reads everything. */
const CHECK_EVERY = 250
const TREE_CODES = [...DECODE_CODES, 'chain-mismatch']

function rowsOf(tables: Tables): string {
  const count = (table: string) => tables.database.sql<[], { n: number }>(`SELECT count(*) AS n FROM ${table}`).get()?.n
  return `${tables.inodes.files} ${count('dentry')} ${count('extent')} ${count('segment')} ${tables.counters.peek('epoch')}`
}

/** A batch that one of the owner's devices published: applied whole, or not at all. */
function appliedBatch(): Target {
  const open = (): Opened => {
    const place = ledgers()
    const tables = place.open()
    let epoch = 0
    let count = 0
    return {
      samples: [batchOf(wholeTree(0, CANARY))],
      spoil: (dice) => spoilBytes(dice, [batchOf(wholeTree(dice.roll(1, 1e7), CANARY)), batchOf(wholeTree(1, CANARY))]),
      take: (input) => {
        if (++count % CHECK_EVERY === 0 && check(tables).length > 0) throw new Error(JSON.stringify(check(tables)))
        applyBatch(tables, input, epoch + 1, headAt(epoch + 1))
        epoch++
      },
      codes: TREE_CODES,
      taken: 'sometimes',
      state: () => rowsOf(tables),
      secrets: [CANARY],
      conclude: () => check(tables).map((finding) => finding.message),
      close: () => {
        tables.database.close()
        place.remove()
      },
    }
  }
  return { name: 'batch of operations, applied', of: [...CODEC, 'src/mount/metadata/chain.ts'], open }
}

function snapshotOf(): Buffer {
  const time = { sec: 1_700_000_000, nsec: 5 }
  const times = { atime: time, mtime: time, ctime: time, btime: time }
  const inode = { uid: 1, gid: 2, rdev: 0, ...times }
  const none = Buffer.alloc(0)
  const [, directory, file] = wholeTree(0, CANARY) as [unknown, { file: never }, { file: never }]
  const segment = wholeTree(0, CANARY).find((one) => one.kind === KIND.segment) as Extract<Operation, { kind: 11 }>
  const root = '0'.repeat(32) as never
  return batchOf([
    { kind: KIND.putInode, file: root, mode: 0o040755, size: 0, target: none, ...inode },
    { kind: KIND.putInode, file: directory.file, mode: 0o040755, size: 0, target: none, ...inode },
    { kind: KIND.putDentry, parent: root, name: CANARY, file: directory.file },
    { kind: KIND.putInode, file: file.file, mode: 0o100644, size: 9_000, target: none, ...inode },
    { kind: KIND.putDentry, parent: directory.file, name: Buffer.from('f'), file: file.file },
    { kind: KIND.putDentry, parent: root, name: Buffer.from('hard'), file: file.file },
    { kind: KIND.setXattr, file: file.file, name: Buffer.from('user.x'), value: Buffer.from('y'), time },
    segment,
    {
      ...{ kind: KIND.extent, file: file.file, offset: 0, length: 5_000 },
      ...{ segment: segment.info.segment, segmentOffset: 0 },
    },
    { kind: KIND.allocate, file: file.file, offset: 5_000, length: 4_000 },
  ])
}

/** In pieces, as it is fetched; a ledger that took one is not empty any more, and another begins. */
function importedSnapshot(): Target {
  const open = (): Opened => {
    const place = ledgers()
    let tables = place.open()
    const empty = rowsOf(tables)
    return {
      samples: [snapshotOf()],
      take: (input) => {
        const work = new SnapshotImport(tables, 5)
        try {
          const cut = Math.floor(input.length / 3)
          for (const piece of [input.subarray(0, cut), input.subarray(cut)]) work.piece(piece)
          work.finish(headAt(5))
        } catch (error) {
          work.abort()
          if (rowsOf(tables) !== empty) throw new Error(`left ${rowsOf(tables)}`)
          throw error
        }
        tables.database.close()
        tables = place.open()
      },
      codes: TREE_CODES,
      taken: 'sometimes',
      secrets: [CANARY],
      close: () => {
        tables.database.close()
        place.remove()
      },
    }
  }
  return { name: 'snapshot, imported', of: [...CODEC, 'src/mount/metadata/snapshot-import.ts'], open }
}

const aSegment = (wholeTree(0, CANARY).find((one) => one.kind === KIND.segment) as Extract<Operation, { kind: 11 }>)
  .info

const snapshotPayload = decoder(
  'snapshot payload',
  ['src/mount/sync/snapshot-payload.ts', ...CODEC],
  {
    samples: [0, 1, 5].map((count) =>
      encodeSnapshotPayload({
        ...{ epoch: 7, logSequence: 99, operationBytes: count * aSegment.plainLength, hash: Buffer.alloc(32, 4) },
        segments: Array.from({ length: count }, () => aSegment),
      }),
    ),
    take: (input) => {
      if (!encodeSnapshotPayload(decodeSnapshotPayload(input)).equals(input)) throw new Error('another snapshot')
    },
    codes: DECODE_CODES,
  },
  ['RECORD_KIND.snapshot payload'],
)

function savedHead(): Target {
  const open = (): Opened => {
    const place = ledgers()
    const tables = place.open()
    putHead(tables, headAt(9))
    const row = tables.database.sql<[], { key: string; value: Buffer }>('SELECT key, value FROM meta').get()
    if (row === undefined) throw new Error('no row')
    return {
      samples: [Buffer.from(row.value)],
      take: (input) => {
        putMeta(tables, row.key, input)
        const head = getHead(tables)
        if (head !== null && input.length !== row.value.length) throw new Error('a head of another length')
      },
      codes: ['malformed'],
      taken: 'sometimes',
      close: () => {
        tables.database.close()
        place.remove()
      },
    }
  }
  return { name: 'saved head', of: ['src/mount/metadata/facts.ts'], open }
}

/** A row of the ledger that names hosts: what is damaged is asked of the bridge anew, here in vain. */
function keptPlacement(): Target {
  const open = async (): Promise<Opened> => {
    const term = { key: secretOf(noiseBytes(3, 32)), number: 1 }
    const { info, shardIds } = await sealSegment(term, [Buffer.alloc(5_000, 1)], { dataShards: 2, totalShards: 4 })
    const shards = shardIds.map((shard, index) => ({
      index,
      shard,
      host: index === 1 ? null : hostId(noiseBytes(4, 32)),
    }))
    const placement: Placement = { segment: info.segment, generation: 3, shards }
    let saved: Buffer = Buffer.alloc(0)
    const make = () =>
      new Placements({
        ledger: {
          placement: async () => saved,
          putPlacement: async (_segment: SegmentId, bytes: Buffer) => {
            saved = Buffer.from(bytes)
          },
        },
        locate: async () => [],
      })
    await make().learn(info, placement)
    // One that took what it was given knows it from then on.
    let placements = make()
    return {
      samples: [saved],
      take: async (input) => {
        saved = input
        const found = await placements.of(info)
        placements = make()
        const same = found.shards.every((one, at) => one.shard === shardIds[at] && one.index === at)
        if (!same || found.shards.length !== 4) throw new Error('shards that are not the segment’s')
      },
      codes: ['placement-unknown'],
      taken: 'sometimes',
    }
  }
  return { name: 'kept placement', of: ['src/mount/reader/placements.ts'], open }
}

const KEY = secretOf(noiseBytes(9, 32))
const PLAIN = Buffer.from('canary: bytes of a file that nobody may see')
const random = (size: number) => noiseBytes(8, size)
const atRest = (name: string, sample: Buffer, take: (input: Buffer) => unknown): Target =>
  decoder(`row at rest, ${name}`, ['src/crypto/at-rest.ts', 'src/crypto/aead.ts'], {
    samples: [sample],
    take,
    codes: ['seal-broken'],
    taken: 'never',
    secrets: [PLAIN, noiseBytes(9, 32)],
  })
const segment = 'ab'.repeat(32) as SegmentId

/** The reader under all of them: every read bounded, lengths first. */
const reader = decoder('byte reader', ['src/base/byte-reader.ts'], {
  samples: [new ByteWriter().u8(1).u16(2).u32(3).u64(4).i64(-5n).varint(600).blob(PLAIN).text('text').bytes()],
  take: (input) => {
    const bytes = new ByteReader(input, 'object')
    const values = [bytes.u8(), bytes.u16(), bytes.u32(), bytes.u64(), bytes.i64(), bytes.varint(), bytes.blob(64)]
    bytes.text(16)
    bytes.end()
    if (values.some((one) => typeof one === 'number' && !Number.isSafeInteger(one))) throw new AppError('bug', 'unsafe')
  },
  codes: ['malformed'],
  secrets: [PLAIN],
})

export const ledgerTargets: readonly Target[] = [
  reader,
  ...kinds,
  snapshotPayload,
  atRest('staged', sealStaged(KEY, 7, PLAIN, random), (input) => openStaged(KEY, 7, input)),
  atRest('cached', sealCached(KEY, segment, 7, PLAIN, random), (input) => openCached(KEY, segment, 7, input)),
  keptPlacement(),
  savedHead(),
  appliedBatch(),
  importedSnapshot(),
]
