/** Names: lookup, make, link, unlink, rename. Each is one call of the ledger, which is where order is decided. */

import { AppError } from '../../base/errors.js'
import type { Attributes, MaybePromise, RequestContext } from '../fuse/filesystem.js'
import { NAME_BYTES_MAX } from '../metadata/operations.js'
import type { VfsState } from './state.js'

const S_IFLNK = 0o120000
const S_IFDIR = 0o040000

export function lookup(s: VfsState, parent: number, name: Buffer): MaybePromise<Attributes | null> {
  if (name.length > NAME_BYTES_MAX) throw new AppError('name-too-long', 'names have at most 255 bytes')
  return s.fresh.lacks(parent, name) ? null : fetchName(s, parent, name)
}

async function fetchName(s: VfsState, parent: number, name: Buffer): Promise<Attributes | null> {
  const inode = await s.parts.ledger.lookup(parent, name)
  return inode === null ? null : s.table.look(inode).inode
}

export interface NewNode {
  readonly parent: number
  readonly name: Buffer
  /** Type and permission bits. */
  readonly mode: number
  readonly rdev?: number
  readonly target?: Buffer
}

export async function make(s: VfsState, node: NewNode, ctx: RequestContext): Promise<Attributes> {
  s.expectWritable()
  s.fresh.note(node.parent, node.name)
  const changed = await s.parts.ledger.make({ ...node, uid: ctx.uid, gid: ctx.gid, time: s.time() })
  return s.looked(changed)
}

export async function makeDirectory(
  s: VfsState,
  parent: number,
  name: Buffer,
  mode: number,
  ctx: RequestContext,
): Promise<Attributes> {
  const made = await make(s, { parent, name, mode: S_IFDIR | (mode & 0o7777) }, ctx)
  s.fresh.begin(made.ino)
  return made
}

export function makeSymlink(
  s: VfsState,
  parent: number,
  name: Buffer,
  target: Buffer,
  ctx: RequestContext,
): Promise<Attributes> {
  return make(s, { parent, name, mode: S_IFLNK | 0o777, target }, ctx)
}

export async function link(s: VfsState, ino: number, newParent: number, newName: Buffer): Promise<Attributes> {
  s.expectWritable()
  s.fresh.note(newParent, newName)
  return s.looked(await s.parts.ledger.link(ino, newParent, newName, s.time()))
}

export async function remove(s: VfsState, parent: number, name: Buffer, kind: 'file' | 'directory'): Promise<void> {
  s.expectWritable()
  s.learn(await s.parts.ledger.unlink(parent, name, s.time(), kind))
}

export async function rename(
  s: VfsState,
  from: { parent: number; name: Buffer },
  to: { parent: number; name: Buffer },
  flags: { readonly noReplace: boolean; readonly exchange: boolean },
): Promise<void> {
  s.expectWritable()
  s.fresh.note(to.parent, to.name)
  const mode = flags.exchange ? 'exchange' : flags.noReplace ? 'no-replace' : 'replace'
  s.learn(await s.parts.ledger.rename(from.parent, from.name, to.parent, to.name, mode, s.time()))
}
