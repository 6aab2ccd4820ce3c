/** What an onlooker can count: rows and lengths of databases, records of volumes, messages. No values. */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'

export type Shape = Record<string, number | string>

/** For each table its rows, and for each column the sorted lengths of its texts and blobs. */
export function shapeOfDatabase(file: string): Shape {
  const shape: Shape = {}
  const db = new Database(file, { readonly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all() as {
      name: string
    }[]
    for (const { name } of tables) {
      shape[name] = (db.prepare(`SELECT count(*) AS rows FROM "${name}"`).get() as { rows: number }).rows
      const columns = db.prepare(`SELECT name FROM pragma_table_info('${name}')`).all() as { name: string }[]
      for (const column of columns) {
        const lengths = db
          .prepare(`SELECT length(CAST("${column.name}" AS BLOB)) AS bytes FROM "${name}"
            WHERE typeof("${column.name}") IN ('text', 'blob') ORDER BY bytes`)
          .all() as { bytes: number }[]
        if (lengths.length > 0) shape[`${name}.${column.name}`] = lengths.map((one) => one.bytes).join(' ')
      }
    }
  } finally {
    db.close()
  }
  return shape
}

/** Sizes of a host's volumes, and of the records in them. */
export function shapeOfVolumes(folder: string): Shape {
  const shape: Shape = {}
  for (const name of fs.readdirSync(folder).sort()) {
    if (!name.endsWith('.vol')) continue
    const bytes = fs.readFileSync(path.join(folder, name))
    shape[`${name} bytes`] = bytes.length
    shape[`${name} records`] = recordsIn(bytes).join(' ')
  }
  return shape
}

const FILE_HEADER_BYTES = 64
const MAGIC = 'SDVR'
const TYPE_OFFSET = 5
/** Magic, version, type, index, shard, segment, pseudonym: docs/format.md section 11. */
const LENGTH_OFFSET = 88

function recordsIn(bytes: Buffer): string[] {
  const found: string[] = []
  for (let at = FILE_HEADER_BYTES; at + LENGTH_OFFSET + 4 <= bytes.length; at += 8) {
    if (bytes.toString('latin1', at, at + 4) !== MAGIC) continue
    const length = bytes.readUInt32BE(at + LENGTH_OFFSET)
    found.push(`${bytes[at + TYPE_OFFSET]}:${length}`)
    at += Math.floor(length / 8) * 8
  }
  return found
}

/** How many of each kind and how long, whatever their order. */
export function shapeOfMessages(messages: readonly { what: string; bodyBytes: number }[]): Shape {
  const lengths = new Map<string, number[]>()
  for (const { what, bodyBytes } of messages) lengths.set(what, [...(lengths.get(what) ?? []), bodyBytes])
  const shape: Shape = {}
  for (const [what, all] of [...lengths].sort(([a], [b]) => (a < b ? -1 : 1))) {
    shape[what] = `${all.length}: ${all.sort((a, b) => a - b).join(' ')}`
  }
  return shape
}
