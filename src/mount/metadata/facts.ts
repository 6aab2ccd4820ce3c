/** Small facts: opaque bytes by key, and the head of the chain as it was last saved. */
import { ByteReader } from '../../base/byte-reader.js'
import { ByteWriter } from '../../base/byte-writer.js'
import type { Head } from '../../model/chain.js'
import type { Tables } from './tables.js'

const HEAD = 'ledger.head'

export function getMeta(t: Tables, key: string): Buffer | null {
  return t.database.sql<[string], { value: Buffer }>('SELECT value FROM meta WHERE key = ?').get(key)?.value ?? null
}

export function putMeta(t: Tables, key: string, value: Buffer | null): void {
  if (value === null) t.database.sql('DELETE FROM meta WHERE key = ?').run(key)
  else t.database.sql('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, value)
}

export function putHead(t: Tables, head: Head): void {
  putMeta(t, HEAD, new ByteWriter(40).u64(head.sequence).fixed(head.hash, 32).bytes())
}

export function getHead(t: Tables): Head | null {
  const bytes = getMeta(t, HEAD)
  if (bytes === null) return null
  const reader = new ByteReader(bytes, 'saved head')
  const head = { sequence: reader.u64(), hash: Buffer.from(reader.fixed(32)) }
  reader.end()
  return head
}
