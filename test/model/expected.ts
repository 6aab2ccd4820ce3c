/** What a step does to the reference. */
import type { Reference } from './reference.js'
import type { Step } from './steps.js'
import { TYPE_BITS } from './vfs-driver.js'

export async function expected(m: Reference, s: Step, data: (size: number) => Buffer): Promise<void> {
  const found = () => m.find((s as { path: readonly string[] }).path)
  switch (s.do) {
    case 'make':
      return void m.make(s.path, s.type, s.type === 'link' ? 0o777 : s.mode, { uid: 0, gid: s.gid }, linkTarget(s.type))
    case 'link':
      return m.link(s.path, s.to)
    case 'remove':
      return m.remove(s.path, s.kind)
    case 'rename':
      return m.rename(s.path, s.to, s.mode)
    case 'write': {
      const inode = found()
      expectFile(TYPE_BITS[inode.type])
      return m.write(inode, s.append ? inode.bytes.length : s.offset, data(s.size), s.kill)
    }
    case 'truncate':
      return m.truncate(found(), s.size)
    case 'range': {
      const inode = found()
      expectFile(TYPE_BITS[inode.type])
      return m.range(inode, s.offset, s.length, s.action, s.keepSize)
    }
    case 'copy': {
      const source = m.find(s.from)
      const target = found()
      for (const { type } of [source, target]) expectFile(TYPE_BITS[type])
      return m.copy(source, s.offset, target, s.toOffset, s.length)
    }
    case 'chmod':
      return void Object.assign(found(), { mode: s.mode, ctime: m.now })
    case 'chown':
      return m.chown(found(), s.uid, s.gid)
    case 'utimes': {
      const times = { atime: s.atime * 1e9 + 5, mtime: s.mtime * 1e9 + 999_999_999 }
      return void Object.assign(found(), { ...times, ctime: m.now })
    }
    case 'setXattr': {
      const inode = found()
      inode.xattrs.set(s.name, Buffer.from(s.value).toString('latin1'))
      inode.ctime = m.now
      return
    }
    case 'removeXattr': {
      const inode = found()
      if (!inode.xattrs.delete(s.name)) throw Object.assign(new Error(), { code: 'no-data' })
      inode.ctime = m.now
      return
    }
    case 'hold':
      return expectFile(TYPE_BITS[found().type])
    case 'nameless': {
      if (s.to === null) return
      const inode = m.make(s.to, 'file', 0o600, { uid: 0, gid: 0 })
      inode.gid = m.root.mode & 0o2000 ? m.root.gid : 0
      m.write(inode, 0, data(s.size), false)
    }
  }
}

function linkTarget(type: string): string {
  return type === 'link' ? 'target' : ''
}

export function expectFile(mode: number): void {
  if ((mode & 0o170000) === TYPE_BITS.file) return
  throw Object.assign(new Error('no file'), { code: 'not-a-file' })
}
