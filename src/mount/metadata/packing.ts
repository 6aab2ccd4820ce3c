/**
 * What travels between the main thread and the ledger's worker. Structured clone is cheap for numbers and strings, dear for
 * objects and pooled buffers (a slice clones its whole pool): so inodes are flat arrays, names are strings of bytes
 * (latin1), and bytes are arrays of their own, transferred when they are large.
 */
import { assert } from '../../base/assert.js'
import { AppError, type Retry } from '../../base/errors.js'
import type { FileId } from '../../model/ids.js'
import { HEAL_HINT } from './database.js'
import { type DentryColumns, numbersOf } from './names.js'
import type { PackablePage } from './queries.js'
import type { Changed, DirectoryPage, DirectoryRow, Inode, Piece, Plan, Progress } from './types.js'

export type PackedInode = readonly (number | string)[]
export type Call = [id: number, method: string, ...args: unknown[]]
/** id, whether it succeeded, the value or the packed error. */
export type Reply = [id: number, ok: boolean, value: unknown]
export interface ReplyBatch {
  readonly replies: Reply[]
  readonly progress: Progress
  readonly readOnly: string | null
}

/** Smaller buffers are cheaper to copy than to hand over. */
const TRANSFER_BYTES_MIN = 16_384
const SLASH = 0x2f

export function packBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

export function unpackBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Bytes in an ArrayBuffer of their own; into `transfer` when that pays. */
export function ownBytes(bytes: Uint8Array, transfer: ArrayBuffer[]): Uint8Array {
  const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
  const own = whole ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)
  if (own.byteLength >= TRANSFER_BYTES_MIN) transfer.push(own.buffer as ArrayBuffer)
  return own
}

/** Bytes that have memory of their own, maybe more than they fill: given away with it when that pays. */
export function handOver(bytes: Uint8Array, transfer: ArrayBuffer[]): Uint8Array {
  if (bytes.length < TRANSFER_BYTES_MIN) return new Uint8Array(bytes)
  transfer.push(bytes.buffer as ArrayBuffer)
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function packInode(i: Inode): PackedInode {
  const { atime: a, mtime: m, ctime: c, btime: b } = i
  // One literal: this runs once for every answer.
  // biome-ignore format: a row of numbers
  return [i.ino, i.file, i.mode, i.nlink, i.uid, i.gid, i.rdev, i.size, i.blocks,
    a.sec, a.nsec, m.sec, m.nsec, c.sec, c.nsec, b.sec, b.nsec, i.asOf]
}

export function unpackInode(p: PackedInode): Inode {
  const n = p as number[]
  return {
    asOf: n[17] as number,
    ino: n[0] as number,
    file: p[1] as FileId,
    mode: n[2] as number,
    nlink: n[3] as number,
    uid: n[4] as number,
    gid: n[5] as number,
    rdev: n[6] as number,
    size: n[7] as number,
    blocks: n[8] as number,
    atime: { sec: n[9] as number, nsec: n[10] as number },
    mtime: { sec: n[11] as number, nsec: n[12] as number },
    ctime: { sec: n[13] as number, nsec: n[14] as number },
    btime: { sec: n[15] as number, nsec: n[16] as number },
  }
}

export function packChanged(changed: Changed): PackedInode[] {
  return changed.inodes.map(packInode)
}

export function unpackChanged(value: unknown): Changed {
  return { inodes: (value as PackedInode[]).map(unpackInode) }
}

export function unpackInodeOrNull(value: unknown): Inode | null {
  return value === null ? null : unpackInode(value as PackedInode)
}

/** Columns of a directory's names, what their inodes are (null: not asked), whether it ends here, its parent. */
type PackedPage = [columns: DentryColumns | null, inodes: (PackedInode | null)[] | null, end: boolean, parent: number]

export function packPage(page: PackablePage, transfer: ArrayBuffer[]): PackedPage {
  const { columns, inodes, end, parent } = page
  const packed = columns && { ...columns, names: ownBytes(columns.names, transfer) as Buffer }
  return [packed, inodes?.map((one) => one && packInode(one)) ?? null, end, parent]
}

export function unpackPage(value: unknown): DirectoryPage {
  const [columns, inodes, end, parent] = value as PackedPage
  return { entries: columns === null ? [] : unpackEntries(columns, inodes), end, parent }
}

function unpackEntries(columns: DentryColumns, inodes: PackedPage[1]): DirectoryRow[] {
  const names = bufferOf(columns.names)
  const [inos, modes] = [numbersOf(columns.inos), numbersOf(columns.types)]
  const cookies = numbersOf(columns.cookies)
  const entries: DirectoryRow[] = []
  let last = 0
  for (let at = 0, start = 0; start < names.length; at++) {
    let end = start
    while (end < names.length && names[end] !== SLASH) end++
    const cookie = cookies[at] as number
    assert(cookie > last, 'a directory is listed in its order')
    last = cookie
    const packed = inodes?.[at]
    const inode = packed ? unpackInode(packed) : undefined
    entries.push({
      name: names.subarray(start, end),
      ino: inos[at] as number,
      mode: modes[at] as number,
      cookie,
      inode,
    })
    start = end + 1
  }
  assert(entries.length === columns.count, 'names hold no slash')
  return entries
}

export function packPlan(plan: Plan, transfer: ArrayBuffer[]): unknown {
  const pieces = plan.pieces.map((piece) => {
    if (piece.kind === 'bytes') return { ...piece, bytes: ownBytes(piece.bytes, transfer) }
    return piece
  })
  return { pieces, size: plan.size }
}

export function unpackPlan(value: unknown): Plan {
  const plan = value as { pieces: Piece[]; size: number }
  return { pieces: plan.pieces.map(unpackPiece), size: plan.size }
}

function unpackPiece(piece: Piece): Piece {
  if (piece.kind === 'bytes') return { ...piece, bytes: bufferOf(piece.bytes) }
  if (piece.kind === 'zeros') return piece
  return { ...piece, segment: { ...piece.segment, root: bufferOf(piece.segment.root) } }
}

interface PackedError {
  code: string
  message: string
  retry: Retry
  hint: string | undefined
  details: Record<string, string | number | boolean> | undefined
  stack: string | undefined
}

export function packError(error: unknown): PackedError {
  if (error instanceof AppError) {
    const { code, message, retry, details } = error
    const hint = error.hint ?? (code === 'database-damaged' ? HEAL_HINT : undefined)
    return { code, message, retry, hint, details, stack: undefined }
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  return { code: '', message, retry: 'never', hint: undefined, details: undefined, stack }
}

export function unpackError(value: unknown): Error {
  const { code, message, retry, hint, details, stack } = value as PackedError
  if (code !== '') {
    const options = { retry, ...(hint === undefined ? {} : { hint }), ...(details === undefined ? {} : { details }) }
    return new AppError(code, message, options)
  }
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}
