/** Things of every kind that a name can lead to. */
import type { Actor, Scene } from './scene.js'

export const KINDS = ['file', 'directory', 'fifo', 'socket', 'symlink', 'block', 'char'] as const
export type Kind = (typeof KINDS)[number]
/** Those that anybody can make. */
export const PLAIN_KINDS = ['file', 'directory', 'fifo', 'socket', 'symlink'] as const

export async function make(s: Scene, kind: Kind, path: string, owner: Actor = s.me): Promise<void> {
  if (kind === 'file') await owner.write(path, 'bytes')
  else if (kind === 'directory') await owner.do('mkdir', path, 0o755)
  else if (kind === 'symlink') await owner.do('symlink', 'nowhere', path)
  else if (kind === 'fifo' || kind === 'socket') await owner.do('mknod', path, kind, 0o644)
  else {
    await s.root.do('mknod', path, kind, 0o644, 1, 3)
    await s.root.do('lchown', path, owner.uid, owner.gid)
  }
}

export async function remove(actor: Actor, kind: Kind, path: string): Promise<void> {
  await actor.do(kind === 'directory' ? 'rmdir' : 'unlink', path)
}

/** A folder in which everybody may do everything. */
export async function openFolder(s: Scene, path: string, mode = 0o777, owner: Actor = s.me): Promise<void> {
  await s.root.do('mkdir', path, 0o777)
  await s.root.do('chown', path, owner.uid, owner.gid)
  await s.root.do('chmod', path, mode)
}
