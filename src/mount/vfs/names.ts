/** Names: lookup, make, link, unlink, rename. Each is one call of the ledger, which is where order is decided. */
import type { Attributes, RequestContext } from '../fuse/filesystem.js'
import type { VfsState } from './state.js'

const S_IFLNK = 0o120000
const S_IFDIR = 0o040000

export async function lookup(s: VfsState, parent: number, name: Buffer): Promise<Attributes | null> {
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
  const changed = await s.parts.ledger.make({ ...node, uid: ctx.uid, gid: ctx.gid, time: s.time() })
  return s.looked(changed)
}

export function makeDirectory(
  s: VfsState,
  parent: number,
  name: Buffer,
  mode: number,
  ctx: RequestContext,
): Promise<Attributes> {
  return make(s, { parent, name, mode: S_IFDIR | (mode & 0o7777) }, ctx)
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
  const mode = flags.exchange ? 'exchange' : flags.noReplace ? 'no-replace' : 'replace'
  s.learn(await s.parts.ledger.rename(from.parent, from.name, to.parent, to.name, mode, s.time()))
}
