/** A drive's ledger on a folder that a loss of power has left, opened here as at a start: what it shows, and what fsck finds. */
import path from 'node:path'
import { isCode } from '../../src/base/errors.js'
import { systemRandom } from '../../src/base/random.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import { check } from '../../src/mount/metadata/check.js'
import type { Node } from '../../src/mount/metadata/inodes.js'
import { reap } from '../../src/mount/metadata/mutations.js'
import { plan } from '../../src/mount/metadata/mutations-io.js'
import { packPage, unpackPage } from '../../src/mount/metadata/packing.js'
import { list } from '../../src/mount/metadata/queries.js'
import { openTables, type Tables } from '../../src/mount/metadata/tables.js'
import type { DirectoryRow } from '../../src/mount/metadata/types.js'
import { hashOf, type Shown, showFile, showXattrs } from './crash-model.js'

const ROOT = 1
const TYPE = 0o170000
const FOLDER = 0o040000
const LINK = 0o120000
/** What one page holds. */
const NAMES_MAX = 1_000
const PLAN_BYTES = 8 * 1_048_576

export interface Looked {
  /** By the name of a folder in the root. */
  folders: Map<string, Shown>
  findings: string[]
}

/** `key`: of the staged rows. */
export function lookAtLedger(state: string, key: Uint8Array): Looked {
  const folders = new Map<string, Shown>()
  let tables: Tables
  const parts = { key: SecretBytes.take(Buffer.from(key)), random: systemRandom, nowMs: Date.now }
  try {
    tables = openTables({ file: path.join(state, 'ledger.db'), ...parts })
  } catch (error) {
    return { folders, findings: [`it does not open: ${(error as Error).message}`] }
  }
  try {
    reap(tables, tables.inodes.orphans())
    const findings = check(tables).map(({ code, message }) => `${code}: ${message}`)
    if (tables.database.isBehind) findings.push('it went back behind what was durable')
    for (const { name, ino } of namesOf(tables, ROOT)) folders.set(name.toString(), showFolder(tables, ino))
    return { folders, findings }
  } catch (error) {
    if (!isCode(error, 'database-damaged') && !/SQLITE/.test(String((error as { code?: unknown }).code))) throw error
    return { folders, findings: [`it is damaged: ${(error as Error).message}`] }
  } finally {
    tables.database.db.close()
  }
}

function namesOf(t: Tables, folder: number): readonly DirectoryRow[] {
  const page = unpackPage(packPage(list(t, folder, 0, NAMES_MAX, false), []))
  if (!page.end) throw new Error('more names than a test makes')
  return page.entries
}

function showFolder(t: Tables, folder: number): Shown {
  const found: { name: string; node: Node }[] = []
  const walk = (ino: number, place: string) => {
    for (const entry of namesOf(t, ino)) {
      const name = path.join(place, entry.name.toString())
      const node = t.inodes.get(entry.ino) as Node
      found.push({ name, node })
      if ((node.mode & TYPE) === FOLDER) walk(entry.ino, name)
    }
  }
  walk(folder, '')
  found.sort((a, b) => (a.name < b.name ? -1 : 1))
  const first = new Map<number, string>()
  for (const { name, node } of found) if (!first.has(node.ino)) first.set(node.ino, name)
  return new Map(found.map(({ name, node }) => [name, showNode(t, node, first.get(node.ino) as string)]))
}

function showNode(t: Tables, node: Node, first: string): string {
  const mode = node.mode & 0o7777
  if ((node.mode & TYPE) === LINK) return `link ${node.target}`
  if ((node.mode & TYPE) === FOLDER) return `folder ${mode.toString(8)}`
  const names = t.xattrs.names(node.ino)
  const xattrs = names.map((name): [string, string] => [`${name}`, `${t.xattrs.get(node.ino, name)}`])
  const hash = hashOf(bytesOf(t, node))
  return showFile({ mode, size: node.size, hash, links: node.nlink, first, xattrs: showXattrs(xattrs) })
}

function bytesOf(t: Tables, { ino, size }: Node): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < size; at += PLAN_BYTES) {
    for (const piece of plan(t, ino, at, Math.min(PLAN_BYTES, size - at)).pieces) {
      if (piece.kind === 'segment') throw new Error('bytes on hosts')
      parts.push(piece.kind === 'bytes' ? piece.bytes : Buffer.alloc(piece.length))
    }
  }
  return Buffer.concat(parts)
}
