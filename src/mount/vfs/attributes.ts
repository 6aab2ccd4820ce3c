/** Attributes: answered from memory whenever memory is exact. */
import { AppError } from '../../base/errors.js'
import type { AttributeChanges, Attributes, FileSystemStatistics, MaybePromise, Timestamp } from '../fuse/filesystem.js'
import { forgetCapability } from './inode-table.js'
import { resize } from './resizing.js'
import { clampTime, type VfsState } from './state.js'

const BLOCK_BYTES = 4_096
/** Inode numbers are not scarce; df -i wants a number. */
const FILES_MAX = 2 ** 40

export function getAttributes(s: VfsState, ino: number): MaybePromise<Attributes> {
  const entry = s.table.get(ino)
  return entry?.fresh ? entry.inode : fetchAttributes(s, ino)
}

async function fetchAttributes(s: VfsState, ino: number): Promise<Attributes> {
  const inode = await s.parts.ledger.attributes(ino)
  s.table.learn(inode)
  return s.table.get(ino)?.inode ?? inode
}

export async function setAttributes(s: VfsState, ino: number, changes: AttributeChanges): Promise<Attributes> {
  s.expectWritable()
  const time = s.time()
  const stamp = (value: Timestamp | 'now' | undefined) =>
    value === undefined ? undefined : value === 'now' ? time : clampTime(value)
  const parts = {
    ...{ ino, mode: changes.mode, uid: changes.uid, gid: changes.gid, size: changes.size, time },
    ...{ atime: stamp(changes.atime), mtime: stamp(changes.mtime), ctime: stamp(changes.ctime) },
    killSuidGid: changes.killSuidGid,
  }
  const known = s.table.get(ino)
  if (known !== undefined) forgetCapability(known)
  if (changes.size === undefined) return s.learn(await s.parts.ledger.setAttributes(parts))
  const { size } = changes
  return resize(s, ino, () => s.parts.ledger.setAttributes({ ...parts, size }))
}

export async function readLink(s: VfsState, ino: number): Promise<Buffer> {
  return s.parts.ledger.readLink(ino)
}

/** Never waits: what the bridge said last, less what is on its way there. */
export function statistics(s: VfsState): FileSystemStatistics {
  const space = s.parts.space.space() ?? { totalBytes: 0, freeBytes: 0 }
  const progress = s.parts.ledger.progress()
  const free = Math.max(0, space.freeBytes - progress.openBytes - progress.pendingBytes)
  const blocksFree = Math.floor(Math.min(free, space.totalBytes) / BLOCK_BYTES)
  return {
    blockSize: BLOCK_BYTES,
    blocks: Math.floor(space.totalBytes / BLOCK_BYTES),
    ...{ blocksFree, blocksAvailable: blocksFree },
    ...{ files: FILES_MAX, filesFree: FILES_MAX - progress.files, nameMax: 255 },
  }
}

/** Reserving room that the network does not have is refused at once, like on a disk. */
export function expectRoom(s: VfsState, bytes: number): void {
  const space = s.parts.space.space()
  if (space !== null && bytes > space.freeBytes) throw new AppError('no-space', 'the network has not so much room')
}
