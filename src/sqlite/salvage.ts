/**
 * For databases that are damaged: what of them can still be read, and whether a log was cut short by damage. Nothing here changes the
 * database itself.
 */
import fs from 'node:fs'
import { type DatabaseOptions, openDatabase, removeDatabase } from './open.js'

/** Offsets in a database file (sqlite.org/fileformat2.html) and in a log. */
const PAGE_SIZE_AT = 16
const CHANGE_COUNTER_AT = 24
const PAGE_COUNT_AT = 28
const VALID_FOR_AT = 92
const WAL_HEADER_BYTES = 32
/** Without its last bit, which is the byte order. */
const WAL_MAGIC = 0x377f0682 >>> 1
const WAL_SALT_AT = 16
const FRAME_HEADER_BYTES = 24
const SALT_BYTES = 8
const HEADER_BYTES = 100

/**
 * A copy of a database whose first page (header and schema) is spoilt, with the first page of a new one of the same migrations: its
 * trees begin on the same pages. Removed with removeDatabase(). Takes as much room as the database, where the file system cannot share it.
 */
export function copyWithFreshHeader(file: string, copy: string, options: DatabaseOptions): void {
  removeDatabase(copy)
  const header = Buffer.from(freshHeader(`${copy}.template`, options))
  fs.copyFileSync(file, copy, fs.constants.COPYFILE_FICLONE)
  if (fs.existsSync(`${file}-wal`)) fs.copyFileSync(`${file}-wal`, `${copy}-wal`, fs.constants.COPYFILE_FICLONE)
  header.writeUInt32BE(Math.floor(fs.statSync(file).size / header.length), PAGE_COUNT_AT)
  header.writeUInt32BE(header.readUInt32BE(CHANGE_COUNTER_AT), VALID_FOR_AT)
  const fd = fs.openSync(copy, 'r+')
  try {
    fs.writeSync(fd, header, 0, header.length, 0)
  } finally {
    fs.closeSync(fd)
  }
}

/** Of a database of these migrations that holds nothing. */
const headers = new WeakMap<DatabaseOptions, Buffer>()

function freshHeader(template: string, options: DatabaseOptions): Buffer {
  const known = headers.get(options)
  if (known !== undefined) return known
  removeDatabase(template)
  try {
    openDatabase(template, options).close()
    const header = fs.readFileSync(template).subarray(0, pageBytesOf(template))
    headers.set(options, header)
    return header
  } finally {
    removeDatabase(template)
  }
}

function pageBytesOf(file: string): number {
  const size = readAt(file, HEADER_BYTES, 0)?.readUInt16BE(PAGE_SIZE_AT) ?? 0
  return size === 1 ? 65_536 : size
}

/**
 * Number of the last frame in a log that ends a transaction and belongs to the log as it began, by its own word; 0: none. When it
 * is beyond the last frame that SQLite believes, one up to there is spoilt: a disk changed it, or a loss of power came before
 * it was on the disk. (A process that was killed leaves no such frames: it writes them in order.) A log with a spoilt
 * header claims without end.
 */
export function lastClaimedCommit(file: string, pageBytes: number): number {
  const wal = `${file}-wal`
  const size = fs.statSync(wal, { throwIfNoEntry: false })?.size ?? 0
  const frameBytes = FRAME_HEADER_BYTES + pageBytes
  if (size < WAL_HEADER_BYTES + frameBytes) return 0
  const header = readAt(wal, WAL_HEADER_BYTES, 0)
  if (header === null || header.readUInt32BE(0) >>> 1 !== WAL_MAGIC) return Number.POSITIVE_INFINITY
  const salt = header.subarray(WAL_SALT_AT, WAL_SALT_AT + SALT_BYTES)
  let last = 0
  const fd = fs.openSync(wal, 'r')
  try {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES)
    for (let number = 1; WAL_HEADER_BYTES + number * frameBytes <= size; number++) {
      fs.readSync(fd, frame, 0, frame.length, WAL_HEADER_BYTES + (number - 1) * frameBytes)
      if (!frame.subarray(8, 8 + SALT_BYTES).equals(salt)) continue
      if (frame.readUInt32BE(4) !== 0) last = number
    }
  } finally {
    fs.closeSync(fd)
  }
  return last
}

function readAt(file: string, length: number, position: number): Buffer | null {
  const bytes = Buffer.alloc(length)
  const fd = fs.openSync(file, 'r')
  try {
    return fs.readSync(fd, bytes, 0, length, position) === length ? bytes : null
  } finally {
    fs.closeSync(fd)
  }
}
