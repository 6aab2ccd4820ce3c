/**
 * Operations: the facts that make a drive's tree (docs/format.md section 9). One union for the local log, for epochs,
 * for snapshots and for apply(), so that a recovered tree is the same tree. Kind 0 exists in the local log only: a write
 * whose bytes are still staged, or a copy of such; materialise() turns it into `attributes` and `extent` before anything leaves the device.
 */
import type { FileId, SegmentId } from '../../model/ids.js'
import type { SegmentInfo } from '../../model/segment.js'
import type { FileTime } from './types.js'

export const OPERATIONS_VERSION = 1
export const NAME_BYTES_MAX = 255
/** Linux's limit for a symbolic link. */
export const TARGET_BYTES_MAX = 4_095
export const XATTR_NAME_BYTES_MAX = 255
export const XATTR_VALUE_BYTES_MAX = 65_536
/** Offsets and sizes: far above any use, and sums of two stay safe integers. */
export const FILE_BYTES_MAX = 2 ** 52

export const KIND = {
  stagedWrite: 0,
  make: 1,
  link: 2,
  unlink: 3,
  rename: 4,
  attributes: 5,
  setXattr: 6,
  removeXattr: 7,
  extent: 8,
  hole: 9,
  reap: 10,
  segment: 11,
  allocate: 12,
  putInode: 13,
  putDentry: 14,
} as const

export interface StagedWrite {
  readonly kind: typeof KIND.stagedWrite
  readonly file: FileId
  readonly offset: number
  readonly length: number
  readonly stagedId: number
  /** Where in the row its first byte lies: not at the start when part of a row is copied. */
  readonly source: number
  /** Size of the file afterwards. */
  readonly size: number
  readonly time: FileTime
}

export interface Make {
  readonly kind: typeof KIND.make
  readonly file: FileId
  readonly parent: FileId
  readonly name: Buffer
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly time: FileTime
  readonly target: Buffer
}

export interface Link {
  readonly kind: typeof KIND.link
  readonly file: FileId
  readonly parent: FileId
  readonly name: Buffer
  readonly time: FileTime
}

export interface Unlink {
  readonly kind: typeof KIND.unlink
  readonly parent: FileId
  readonly name: Buffer
  readonly time: FileTime
}

export interface Rename {
  readonly kind: typeof KIND.rename
  readonly parent: FileId
  readonly name: Buffer
  readonly newParent: FileId
  readonly newName: Buffer
  readonly exchange: boolean
  readonly time: FileTime
}

export interface ChangeAttributes {
  readonly kind: typeof KIND.attributes
  readonly file: FileId
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly atime?: FileTime | undefined
  readonly mtime?: FileTime | undefined
  readonly ctime?: FileTime | undefined
  readonly size?: number | undefined
}

export interface SetXattr {
  readonly kind: typeof KIND.setXattr
  readonly file: FileId
  readonly name: Buffer
  readonly value: Buffer
  readonly time: FileTime
}

export interface RemoveXattr {
  readonly kind: typeof KIND.removeXattr
  readonly file: FileId
  readonly name: Buffer
  readonly time: FileTime
}

export interface PutExtent {
  readonly kind: typeof KIND.extent
  readonly file: FileId
  readonly offset: number
  readonly length: number
  readonly segment: SegmentId
  readonly segmentOffset: number
}

export interface Hole {
  readonly kind: typeof KIND.hole
  readonly file: FileId
  readonly offset: number
  readonly length: number
}

export interface Reap {
  readonly kind: typeof KIND.reap
  readonly file: FileId
}

export interface NameSegment {
  readonly kind: typeof KIND.segment
  readonly info: SegmentInfo
}

export interface Allocate {
  readonly kind: typeof KIND.allocate
  readonly file: FileId
  readonly offset: number
  readonly length: number
}

export interface PutInode {
  readonly kind: typeof KIND.putInode
  readonly file: FileId
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  readonly atime: FileTime
  readonly mtime: FileTime
  readonly ctime: FileTime
  readonly btime: FileTime
  readonly target: Buffer
}

export interface PutDentry {
  readonly kind: typeof KIND.putDentry
  readonly parent: FileId
  readonly name: Buffer
  readonly file: FileId
}

export type Operation =
  | StagedWrite
  | Make
  | Link
  | Unlink
  | Rename
  | ChangeAttributes
  | SetXattr
  | RemoveXattr
  | PutExtent
  | Hole
  | Reap
  | NameSegment
  | Allocate
  | PutInode
  | PutDentry
