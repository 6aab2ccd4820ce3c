/** Open files: read, write, make durable, reserve. */
import { AppError, isCode } from '../../base/errors.js'
import type {
  AllocateFlags,
  CreateReply,
  MaybePromise,
  OpenFlags,
  OpenReply,
  RequestContext,
} from '../fuse/filesystem.js'
import { FILE_BYTES_MAX } from '../metadata/operations.js'
import type { Changed, Inode } from '../metadata/types.js'
import { expectRoom } from './attributes.js'
import { type Entry, forgetCapability, isDirectoryMode, NO_XATTRS } from './inode-table.js'
import { resize } from './resizing.js'
import type { VfsState } from './state.js'

const S_IFREG = 0o100000

export async function open(s: VfsState, ino: number, flags: OpenFlags): Promise<OpenReply> {
  if (flags.write || flags.truncate) s.expectWritable()
  const entry = await s.entry(ino)
  const inode = entry?.inode ?? (await s.parts.ledger.attributes(ino))
  if (isDirectoryMode(inode.mode)) throw new AppError('is-a-directory', 'a directory')
  const fh = s.open(inode, flags.write)
  try {
    if (flags.truncate) await truncate(s, ino, flags.killSuidGid)
  } catch (error) {
    s.close(fh)
    throw error
  }
  return { fh, keepCache: true }
}

function truncate(s: VfsState, ino: number, killSuidGid: boolean): Promise<Inode> {
  return resize(s, ino, () => s.parts.ledger.setAttributes({ ino, size: 0, time: s.time(), killSuidGid }))
}

export async function create(
  s: VfsState,
  parent: number,
  name: Buffer | null,
  mode: number,
  flags: OpenFlags,
  ctx: RequestContext,
): Promise<CreateReply> {
  s.expectWritable()
  if (name !== null) s.fresh.note(parent, name)
  let changed: Changed
  try {
    const owner = { uid: ctx.uid, gid: ctx.gid, time: s.time() }
    changed = await s.parts.ledger.make({ parent, name, mode: S_IFREG | (mode & 0o7777), ...owner })
  } catch (error) {
    if (name === null || flags.exclusive || !isCode(error, 'exists')) throw error
    return openExisting(s, parent, name, flags)
  }
  const attributes = s.looked(changed)
  const entry = s.table.get(attributes.ino)
  if (entry !== undefined) entry.xattrs = NO_XATTRS
  return { fh: s.open(attributes, true), keepCache: true, attributes }
}

async function openExisting(s: VfsState, parent: number, name: Buffer, flags: OpenFlags): Promise<CreateReply> {
  const inode = await s.parts.ledger.lookup(parent, name)
  if (inode === null) throw new AppError('not-found', 'the name went away')
  s.table.look(inode)
  try {
    const reply = await open(s, inode.ino, flags)
    return { ...reply, attributes: s.table.get(inode.ino)?.inode ?? inode }
  } catch (error) {
    s.table.forget(inode.ino, 1)
    throw error
  }
}

export function read(
  s: VfsState,
  ino: number,
  fh: number,
  offset: number,
  size: number,
  ctx: RequestContext,
): MaybePromise<Buffer | readonly Buffer[]> {
  s.handle(fh, ino)
  const entry = s.table.get(ino)
  if (
    entry !== undefined &&
    entry.resizing === null &&
    offset >= entry.inode.size &&
    (entry.fresh || entry.pending > 0)
  ) {
    return []
  }
  return s.parts.reader.read(ino, offset, size, ctx.signal)
}

export interface WriteOptions {
  readonly append: boolean
  readonly killSuidGid: boolean
}

/** Answers at once when nothing has to be waited for: the bytes are copied before it returns in any case. */
export function write(
  s: VfsState,
  ino: number,
  fh: number,
  offset: number,
  data: Buffer,
  options: WriteOptions,
): MaybePromise<number> {
  s.handle(fh, ino)
  s.expectWritable()
  const entry = s.table.get(ino)
  if (entry === undefined || entry.resizing !== null || !(entry.fresh || entry.pending > 0)) {
    return writeLater(s, ino, offset, Buffer.from(data), options)
  }
  refuseFailed(entry)
  const reserved = s.parts.staging.reserve(data.length)
  if (reserved !== undefined) return writeReserved(s, ino, offset, Buffer.from(data), options, reserved)
  return stage(s, entry, offset, data, options)
}

async function writeLater(
  s: VfsState,
  ino: number,
  offset: number,
  data: Buffer,
  options: WriteOptions,
): Promise<number> {
  await s.entry(ino)
  return writeReserved(s, ino, offset, data, options, s.parts.staging.reserve(data.length))
}

async function writeReserved(
  s: VfsState,
  ino: number,
  offset: number,
  data: Buffer,
  options: WriteOptions,
  reserved: void | Promise<void>,
): Promise<number> {
  await reserved
  let entry: Entry | null
  try {
    for (let gate = s.table.get(ino)?.resizing; gate; gate = s.table.get(ino)?.resizing) await gate
    entry = await s.entry(ino)
    if (entry === null) throw new AppError('stale', 'the file is gone')
    refuseFailed(entry)
  } catch (error) {
    s.parts.staging.forgo(data.length)
    throw error
  }
  return stage(s, entry, offset, data, options)
}

// await-free: from reading the end of the file to staging behind it.
function stage(s: VfsState, entry: Entry, offset: number, data: Buffer, options: WriteOptions): MaybePromise<number> {
  const at = options.append ? entry.inode.size : offset
  const time = s.time()
  const { length } = data
  // What is acknowledged here must be what the ledger takes: it would refuse it when nobody listens any more.
  if (at + length > FILE_BYTES_MAX) {
    s.parts.staging.forgo(length)
    throw new AppError('file-too-large', 'beyond the largest file')
  }
  const waits = s.parts.staging.add(entry.inode.ino, at, data, time, options.killSuidGid)
  s.table.wrote(entry, at + length, time)
  return waits === undefined ? length : waits.then(() => length)
}

/** A write that was acknowledged and then lost is told once, as EIO does on a disk. */
function refuseFailed(entry: Entry): void {
  const { failure } = entry
  if (failure === null) return
  entry.failure = null
  throw failure
}

export async function fsync(s: VfsState, ino: number | null, ctx: RequestContext): Promise<void> {
  await s.parts.ledger.sync()
  const entry = ino === null ? undefined : s.table.get(ino)
  if (entry !== undefined) refuseFailed(entry)
  if (s.parts.durability !== undefined) await s.parts.durability.stored(ctx.signal)
}

export async function allocate(
  s: VfsState,
  ino: number,
  fh: number,
  range: { readonly offset: number; readonly length: number },
  flags: AllocateFlags,
): Promise<void> {
  s.handle(fh, ino)
  s.expectWritable()
  if (!flags.punchHole) expectRoom(s, range.length)
  const action = flags.punchHole ? 'punch' : flags.zeroRange ? 'zero' : 'allocate'
  const parts = { ino, ...range, action, keepSize: flags.keepSize || flags.punchHole, time: s.time() } as const
  const { killSuidGid } = flags
  const known = s.table.get(ino)
  if (known !== undefined) forgetCapability(known)
  await resize(s, ino, () => s.parts.ledger.changeRange({ ...parts, killSuidGid }))
}

export interface CopySource {
  readonly ino: number
  readonly fh: number
  readonly offset: number
}
export interface CopyTarget extends CopySource {
  readonly killSuidGid: boolean
}

/** Bytes copied, maybe fewer than asked. `not-supported`: the caller reads and writes instead. */
export async function copyRange(s: VfsState, from: CopySource, to: CopyTarget, length: number): Promise<number> {
  s.handle(from.fh, from.ino)
  s.handle(to.fh, to.ino)
  s.expectWritable()
  const known = s.table.get(to.ino)
  if (known !== undefined) forgetCapability(known)
  const source = { ino: from.ino, offset: from.offset, length }
  const target = { toIno: to.ino, toOffset: to.offset, killSuidGid: to.killSuidGid }
  let copied = 0
  await resize(s, to.ino, async () => {
    const done = await s.parts.ledger.copyRange({ ...source, ...target, time: s.time() })
    copied = done.copied
    return done
  })
  return copied
}

export async function seek(
  s: VfsState,
  ino: number,
  fh: number,
  offset: number,
  whence: 'data' | 'hole',
): Promise<number> {
  s.handle(fh, ino)
  const found = await s.parts.ledger.seek(ino, offset, whence)
  if (found === null) throw new AppError('no-such-position', 'nothing behind this offset')
  return found
}

export function release(s: VfsState, ino: number, fh: number): void {
  s.close(fh)
  if ((s.table.get(ino)?.handles ?? 0) === 0) s.parts.reader.forget?.(ino)
}
