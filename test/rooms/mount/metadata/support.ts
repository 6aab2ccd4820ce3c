/** A ledger in a scratch folder, and the small things that tests of it need. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import type { Head } from '../../../../src/model/chain.js'
import { segmentId } from '../../../../src/model/ids.js'
import { type SegmentInfo, SHARD_BYTES_MAX } from '../../../../src/model/segment.js'
import { type LedgerClient, openLedger } from '../../../../src/mount/metadata/client.js'
import type { LedgerEvents } from '../../../../src/mount/metadata/ledger.js'
import type {
  Changed,
  Cut,
  FileTime,
  Inode,
  Materialised,
  StagedMapping,
} from '../../../../src/mount/metadata/types.js'
import { layoutOf } from '../../../../src/segment/layout.js'

export const ROOT = 1
export const FILE = 0o100644
export const DIRECTORY = 0o040755

let seconds = 1_700_000_000
/** A later time with every call. */
export function now(): FileTime {
  seconds += 1
  return { sec: seconds, nsec: seconds % 1_000_000_000 }
}

export function key(): SecretBytes {
  return SecretBytes.take(Buffer.alloc(32, 7))
}

export function scratch(t: Test): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardrive-ledger-'))
  t.teardown(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

let opened = 0
export async function open(
  folder: string,
  events: LedgerEvents = {},
  seed = `seed ${opened++}`,
): Promise<LedgerClient> {
  return await openLedger({ file: path.join(folder, 'ledger.db'), stagedKey: key(), events, seed })
}

/** Opened, checked and closed around the test. */
export async function ledgerOf(t: Test): Promise<LedgerClient> {
  const folder = scratch(t)
  const ledger = await open(folder)
  t.teardown(async () => {
    const findings = await ledger.check()
    if (findings.length > 0) t.fail(`fsck: ${JSON.stringify(findings)}`)
    await ledger.close()
  })
  return ledger
}

/** Bytes that say where they are: a misplaced one shows. */
export function rampBytes(seed: number, size: number, from = 0): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let i = 0; i < size; i++) {
    const at = from + i
    bytes[i] = (at ^ (at >>> 8) ^ (at >>> 16) ^ (seed * 31)) & 0xff
  }
  return bytes
}

export function subject(changed: Changed): Inode {
  return changed.inodes[0] as Inode
}

export async function makeFile(ledger: LedgerClient, parent: number, name: string, mode = FILE): Promise<Inode> {
  const parts = { parent, name: Buffer.from(name), mode, uid: 1_000, gid: 1_000, time: now() }
  return subject(await ledger.make(parts))
}

export async function write(ledger: LedgerClient, ino: number, offset: number, bytes: Buffer): Promise<Inode> {
  const own = new Uint8Array(bytes).buffer
  const parts = { ino, offset, bytes: own, length: bytes.length, time: now(), killSuidGid: false }
  return subject(await ledger.write(parts))
}

/** Content as far as it is here: pieces on segments are asked of `fetch`. */
export async function readAll(
  ledger: LedgerClient,
  ino: number,
  fetch: (segment: string, offset: number, length: number) => Buffer = () => {
    throw new Error('bytes on a segment')
  },
): Promise<Buffer> {
  const { size } = await ledger.attributes(ino)
  const parts: Buffer[] = []
  for (let at = 0; at < size; at += 1 << 20) {
    for (const piece of (await ledger.plan(ino, at, 1 << 20)).pieces) {
      if (piece.kind === 'zeros') parts.push(Buffer.alloc(piece.length))
      else if (piece.kind === 'bytes') parts.push(piece.bytes)
      else parts.push(fetch(piece.segment.segment, piece.segmentOffset, piece.length))
    }
  }
  return Buffer.concat(parts)
}

/** Hosts that keep plain bytes: what a writer would have sealed and pushed. */
export class FakeHosts {
  readonly segments = new Map<string, Buffer>()
  private count = 0

  /** Packs rows into segments of at most `rowsMax` rows. */
  store(rows: readonly { stagedId: number }[], bytes: readonly Buffer[], rowsMax = 3) {
    const mapping: StagedMapping[] = []
    const infos: SegmentInfo[] = []
    for (let from = 0; from < rows.length; from += rowsMax) {
      const plain = Buffer.concat(bytes.slice(from, from + rowsMax))
      const info = this.seal(plain)
      infos.push(info)
      let segmentOffset = 0
      for (const [i, row] of rows.slice(from, from + rowsMax).entries()) {
        mapping.push({ stagedId: row.stagedId, segment: info.segment, segmentOffset })
        segmentOffset += (bytes[from + i] as Buffer).length
      }
    }
    return { mapping, infos }
  }

  seal(plain: Buffer): SegmentInfo {
    const root = createHash('sha256')
      .update(`segment ${this.count++}`)
      .digest()
    const segment = segmentId(createHash('sha256').update(root).digest())
    this.segments.set(segment, plain)
    const dataShards = Math.ceil(plain.length / SHARD_BYTES_MAX)
    const { paddedLength, shardLength } = layoutOf({ plainLength: plain.length, dataShards })
    return {
      segment,
      root,
      dataShards,
      totalShards: 3,
      keyTerm: 1,
      plainLength: plain.length,
      paddedLength,
      shardLength,
    }
  }

  fetch(segment: string, offset: number, length: number): Buffer {
    const plain = this.segments.get(segment)
    if (plain === undefined || offset + length > plain.length) throw new Error('bytes that no host has')
    return plain.subarray(offset, offset + length)
  }
}

let chainLength = 0
export function nextHead(): Head {
  chainLength += 1
  return { sequence: chainLength, hash: createHash('sha256').update(`record ${chainLength}`).digest() }
}

/** cut -> prepared, as a writer does it. */
export async function prepare(
  ledger: LedgerClient,
  cut: Cut,
  hosts: FakeHosts,
  rowsMax?: number,
): Promise<Materialised> {
  const bytes = await ledger.readStaged(cut.stagedRows.map((row) => row.stagedId))
  const { mapping, infos } = hosts.store(cut.stagedRows, bytes, rowsMax)
  await ledger.recordPendingSegments(infos.map((info) => info.segment))
  return await ledger.materialise(cut.epoch, mapping, infos)
}

export async function publish(ledger: LedgerClient, epoch: number): Promise<Head> {
  const head = nextHead()
  await ledger.saveRecord(epoch, { ...head, encoded: Buffer.from(`record ${head.sequence}`) })
  await ledger.published(epoch, head)
  return head
}

/** Every entry by its path, with all that a user can see; nothing that is local to one device. */
export async function dumpTree(ledger: LedgerClient, hosts?: FakeHosts): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>()
  const walk = async (inode: Inode, at: string): Promise<void> => {
    const { ino: _ino, asOf: _asOf, ...rest } = inode
    const xattrs: [string, string][] = []
    for (const name of await ledger.listXattr(inode.ino)) {
      xattrs.push([name.toString('latin1'), (await ledger.getXattr(inode.ino, name))?.toString('latin1') ?? ''])
    }
    const type = inode.mode & 0o170000
    const target = type === 0o120000 ? (await ledger.readLink(inode.ino)).toString('latin1') : null
    const fetch = hosts && ((s: string, o: number, l: number) => hosts.fetch(s, o, l))
    const content = type === 0o100000 ? hash(await readAll(ledger, inode.ino, fetch)) : null
    found.set(at, { ...rest, xattrs, target, content })
    if (type !== 0o040000) return
    for (let cookie = 0, end = false; !end; ) {
      const page = await ledger.list(inode.ino, cookie, 100, true)
      for (const entry of page.entries) {
        cookie = entry.cookie
        await walk(entry.inode as Inode, `${at}/${entry.name.toString('latin1')}`)
      }
      end = page.end
    }
  }
  await walk(await ledger.attributes(ROOT), '')
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function hash(bytes: Buffer): string {
  return `${bytes.length}:${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}
