/** What libfuse asks, as fuse-native passes it on: the arguments of each operation, and what all of them share. */
import type { FileSystem, RequestContext } from '../fuse/filesystem.js'
import { type Ask, asOwner } from './ask.js'
import type { Operation } from './calls.js'
import type { Handles } from './handles.js'
import type { HiddenNames } from './hidden.js'
import type { Paths } from './paths.js'

/** 64-bit numbers come as two words. Buffers are libfuse's own memory, theirs again when the operation is answered. */
export interface OperationArguments {
  getattr: [path: string]
  statfs: [path: string]
  chmod: [path: string, mode: number]
  chown: [path: string, uid: number, gid: number]
  utimens: [path: string, atimeLow: number, atimeHigh: number, mtimeLow: number, mtimeHigh: number]
  truncate: [path: string, low: number, high: number]
  ftruncate: [path: string, fd: number, low: number, high: number]
  readdir: [path: string]
  readlink: [path: string]
  symlink: [target: string, path: string]
  mknod: [path: string, mode: number, rdev: number]
  mkdir: [path: string, mode: number]
  link: [path: string, newPath: string]
  unlink: [path: string]
  rmdir: [path: string]
  rename: [path: string, newPath: string]
  open: [path: string, flags: number]
  create: [path: string, mode: number]
  read: [path: string, fd: number, room: Buffer, length: number, low: number, high: number]
  write: [path: string, fd: number, data: Buffer, length: number, low: number, high: number]
  flush: [path: string, fd: number]
  fsync: [path: string, dataOnly: number, fd: number]
  release: [path: string, fd: number]
  fsyncdir: [path: string, dataOnly: number, fd: number]
  getxattr: [path: string, name: string, room: Buffer, position: number]
  listxattr: [path: string, room: Buffer]
  setxattr: [path: string, name: string, value: Buffer, position: number, flags: number]
  removexattr: [path: string, name: string]
}

export type OperationName = keyof OperationArguments
/** Of the asked names each; `flush` only where the file system has one. */
export type Operations<K extends OperationName> = { readonly [P in K]: Operation<OperationArguments[P]> }

export interface Room {
  readonly fs: FileSystem
  readonly paths: Paths
  readonly hidden: HiddenNames
  readonly handles: Handles
  /** The kernel lets nobody in but the daemon's own user: then what is made belongs to him. */
  readonly isCallerKnown: boolean
}

export const DONE = [0] as const
const TWO_32 = 2 ** 32
const SUID_SGID = 0o6000

/** What no exact number can say is beyond every file all the same, and is refused as such. */
export function wide(low: number, high: number): number {
  return Math.min(high * TWO_32 + low, Number.MAX_SAFE_INTEGER)
}

/** Calls of the file system on the inode at a path. */
export function useInode<T>(
  { paths, hidden }: Room,
  path: string,
  ask: Ask,
  work: (ino: number, isHidden: boolean) => T | Promise<T>,
): Promise<T> {
  return paths.use(path, hidden, ask, work)
}

/** In whose name something is made in a directory: where the caller is not known, the directory's owner. */
export async function makerIn({ fs, isCallerKnown }: Room, parent: number, ask: Ask): Promise<RequestContext> {
  if (isCallerKnown) return ask
  return asOwner(ask, await fs.getAttributes(parent, undefined, ask))
}

/** Nobody gets to run something as somebody whose name was guessed. */
export function madeMode({ isCallerKnown }: Room, mode: number): number {
  return isCallerKnown ? mode : mode & ~SUID_SGID
}

/** What fuse-native takes away from us with the answer. Memory without a byte is not ours to be taken. */
export function givenBack(memory: Buffer): ArrayBufferLike {
  return memory.length === 0 ? new ArrayBuffer(1) : memory.buffer
}
