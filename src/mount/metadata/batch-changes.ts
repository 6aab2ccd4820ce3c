/**
 * What a batch of the chain changed here, name by name and inode by inode: for those who remember the tree (the vfs, the kernel). It is
 * never cut short, because nobody could say then which names to forget, those that are gone among them. A batch has at most 16 MiB of
 * operations, so this has at most a few times that; packed, it crosses between threads without a copy of each name.
 */
import type { FileId } from '../../model/ids.js'
import { ROOT_INO } from './inodes.js'
import * as o from './operations.js'
import type { Tables } from './tables.js'

export interface BatchChanges {
  /** Of the inodes, as Inode.asOf. */
  readonly asOf: number
  readonly inodes: Float64Array
  /** Of each name, its directory. */
  readonly parents: Float64Array
  /** In the order of `parents`: each one byte of length, then its bytes. */
  readonly names: Uint8Array
}

export function* changedNames({ parents, names }: BatchChanges): Generator<{ parent: number; name: Buffer }> {
  const bytes = Buffer.from(names.buffer, names.byteOffset, names.byteLength)
  let at = 0
  for (const parent of parents) {
    const end = at + 1 + (bytes[at] as number)
    yield { parent, name: bytes.subarray(at + 1, end) }
    at = end
  }
}

export class ChangeList {
  private readonly inodes = new Set<number>()
  private readonly names = new Map<string, { parent: number; name: Buffer }>()

  /** Called before and after an operation: some of its files exist only on one side. */
  note(t: Tables, op: o.Operation): void {
    if ('file' in op) this.noteFile(t, op.file)
    if ('name' in op && 'parent' in op) this.noteName(t, op.parent, op.name)
    if (op.kind === o.KIND.rename) this.noteName(t, op.newParent, op.newName)
  }

  private noteFile(t: Tables, file: FileId): void {
    const node = t.inodes.byFileId(file)
    if (node !== null) this.inodes.add(node.ino)
  }

  private noteName(t: Tables, parent: FileId, name: Buffer): void {
    const node = t.inodes.byFileId(parent)
    if (node === null) return
    this.inodes.add(node.ino)
    this.names.set(`${node.ino}/${name.toString('latin1')}`, { parent: node.ino, name })
    const dentry = t.dentries.get(node.ino, name)
    if (dentry !== null && dentry.ino !== ROOT_INO) this.inodes.add(dentry.ino)
  }

  answer(asOf: number): BatchChanges {
    const all = [...this.names.values()]
    const names = Buffer.alloc(all.reduce((sum, { name }) => sum + 1 + name.length, 0))
    let at = 0
    for (const { name } of all) {
      at = names.writeUInt8(name.length, at)
      at += name.copy(names, at)
    }
    const inodes = Float64Array.from(this.inodes)
    return { asOf, inodes, parents: Float64Array.from(all, ({ parent }) => parent), names }
  }
}
