/** A ledger in a scratch folder, and the small things that tests of it need. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { SecretBytes } from '../../../../src/crypto/secret.js'
import { type LedgerClient, openLedger } from '../../../../src/mount/metadata/client.js'
import type { LedgerEvents } from '../../../../src/mount/metadata/ledger.js'
import type { Changed, FileTime, Inode } from '../../../../src/mount/metadata/types.js'

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
