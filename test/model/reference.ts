/** A file system as a person would explain it: a tree of objects, bytes in one buffer, a mask of what is allocated. */

export class Refusal extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

export type Type = 'file' | 'directory' | 'link' | 'fifo'

export class RefInode {
  readonly type: Type
  mode: number
  uid = 0
  gid = 0
  names = 0
  bytes = Buffer.alloc(0)
  /** One byte for each byte of the file and what is reserved behind it: 1 where something is allocated. */
  allocated = Buffer.alloc(0)
  target = ''
  readonly xattrs = new Map<string, string>()
  readonly children = new Map<string, RefInode>()
  parent: RefInode | null = null
  atime: number
  mtime: number
  ctime: number

  constructor(type: Type, mode: number, now: number) {
    this.type = type
    this.mode = mode
    this.atime = now
    this.mtime = now
    this.ctime = now
  }

  get links(): number {
    if (this.type !== 'directory') return this.names
    return 2 + [...this.children.values()].filter((child) => child.type === 'directory').length
  }

  get blocks(): number {
    if (this.type === 'directory') return 8
    const covered = this.allocated.reduce((sum, one) => sum + one, 0)
    return Math.ceil(covered / 4_096) * 8
  }

  cover(from: number, to: number, value: 0 | 1): void {
    if (to > this.allocated.length)
      this.allocated = Buffer.concat([this.allocated, Buffer.alloc(to - this.allocated.length)])
    this.allocated.fill(value, from, to)
  }

  resize(size: number): void {
    const more = Buffer.alloc(Math.max(0, size - this.bytes.length))
    if (size < this.bytes.length) this.allocated = Buffer.from(this.allocated.subarray(0, size))
    this.bytes = Buffer.concat([this.bytes.subarray(0, size), more])
  }
}

/** Paths are lists of names; the tree decides, as POSIX does, in which order things are refused. */
export class Reference {
  readonly root = new RefInode('directory', 0o755, 0)
  now = 0

  find(path: readonly string[]): RefInode {
    let at = this.root
    for (const name of path) {
      if (at.type !== 'directory') throw new Refusal('not-a-directory')
      const next = at.children.get(name)
      if (next === undefined) throw new Refusal('not-found')
      at = next
    }
    return at
  }

  private place(path: readonly string[]): { parent: RefInode; name: string } {
    const parent = this.find(path.slice(0, -1))
    if (parent.type !== 'directory') throw new Refusal('not-a-directory')
    return { parent, name: path.at(-1) as string }
  }

  private stamp(...inodes: RefInode[]): void {
    for (const one of inodes) {
      one.ctime = this.now
      if (one.type === 'directory') one.mtime = this.now
    }
  }

  make(path: readonly string[], type: Type, mode: number, owner: { uid: number; gid: number }, target = ''): RefInode {
    const { parent, name } = this.place(path)
    if (parent.children.has(name)) throw new Refusal('exists')
    const made = new RefInode(type, mode, this.now)
    const inherits = (parent.mode & 0o2000) !== 0
    made.uid = owner.uid
    made.gid = inherits ? parent.gid : owner.gid
    if (inherits && type === 'directory') made.mode |= 0o2000
    made.target = target
    made.names = 1
    if (type === 'directory') made.parent = parent
    parent.children.set(name, made)
    this.stamp(parent)
    return made
  }

  link(from: readonly string[], to: readonly string[]): void {
    const inode = this.find(from)
    const { parent, name } = this.place(to)
    if (inode.type === 'directory') throw new Refusal('not-permitted')
    if (parent.children.has(name)) throw new Refusal('exists')
    parent.children.set(name, inode)
    inode.names++
    inode.ctime = this.now
    this.stamp(parent)
  }

  remove(path: readonly string[], kind: 'file' | 'directory'): void {
    const { parent, name } = this.place(path)
    const inode = parent.children.get(name)
    if (inode === undefined) throw new Refusal('not-found')
    if (kind === 'file' && inode.type === 'directory') throw new Refusal('is-a-directory')
    if (kind === 'directory' && inode.type !== 'directory') throw new Refusal('not-a-directory')
    if (inode.children.size > 0) throw new Refusal('not-empty')
    parent.children.delete(name)
    inode.names--
    inode.ctime = this.now
    this.stamp(parent)
  }

  rename(from: readonly string[], to: readonly string[], mode: 'replace' | 'no-replace' | 'exchange'): void {
    const source = this.place(from)
    const goal = this.place(to)
    const moved = source.parent.children.get(source.name)
    if (moved === undefined) throw new Refusal('not-found')
    const other = goal.parent.children.get(goal.name)
    if (within(goal.parent, moved)) throw new Refusal('invalid-argument')
    if (mode === 'exchange') {
      if (other === undefined) throw new Refusal('not-found')
      if (within(source.parent, other)) throw new Refusal('invalid-argument')
    } else if (other !== undefined) {
      if (mode === 'no-replace') throw new Refusal('exists')
      if (other !== moved) refuseReplace(moved, other)
    }
    if (other === moved) return
    if (mode === 'exchange') source.parent.children.set(source.name, other as RefInode)
    else {
      source.parent.children.delete(source.name)
      if (other !== undefined) other.names--
    }
    goal.parent.children.set(goal.name, moved)
    for (const [one, parent] of [
      [moved, goal.parent],
      [other, source.parent],
    ] as const) {
      if (one === undefined) continue
      one.ctime = this.now
      if (one.type === 'directory' && (one === moved || mode === 'exchange')) one.parent = parent
    }
    this.stamp(source.parent, goal.parent)
  }

  write(inode: RefInode, offset: number, bytes: Buffer, killPrivileges: boolean): void {
    const end = offset + bytes.length
    if (end > inode.bytes.length) inode.resize(end)
    bytes.copy(inode.bytes, offset)
    inode.cover(offset, end, 1)
    if (killPrivileges) this.kill(inode)
    inode.mtime = this.now
    inode.ctime = this.now
  }

  truncate(inode: RefInode, size: number): void {
    if (inode.type === 'directory') throw new Refusal('is-a-directory')
    if (inode.type !== 'file') throw new Refusal('invalid-argument')
    inode.resize(size)
    inode.mtime = this.now
    inode.ctime = this.now
  }

  range(
    inode: RefInode,
    offset: number,
    length: number,
    action: 'allocate' | 'punch' | 'zero',
    keepSize: boolean,
  ): void {
    const end = offset + length
    if (action !== 'allocate') {
      inode.bytes.fill(0, Math.min(offset, inode.bytes.length), Math.min(end, inode.bytes.length))
      if (inode.allocated.length > offset) inode.cover(offset, Math.min(end, inode.allocated.length), 0)
    }
    if (action !== 'punch') {
      if (!keepSize && end > inode.bytes.length) inode.resize(end)
      inode.cover(offset, end, 1)
    }
    inode.mtime = this.now
    inode.ctime = this.now
  }

  /** Up to the end of the source; what is a hole there becomes one. */
  copy(from: RefInode, offset: number, to: RefInode, toOffset: number, wanted: number): void {
    const length = Math.min(wanted, from.bytes.length - offset)
    if (length <= 0) return
    if (from === to && toOffset < offset + length && offset < toOffset + length) throw new Refusal('invalid-argument')
    const bytes = Buffer.from(from.bytes.subarray(offset, offset + length))
    const allocated = Buffer.alloc(length)
    from.allocated.subarray(offset, offset + length).copy(allocated)
    if (toOffset + length > to.bytes.length) to.resize(toOffset + length)
    bytes.copy(to.bytes, toOffset)
    to.cover(toOffset, toOffset + length, 0)
    allocated.copy(to.allocated, toOffset)
    to.mtime = this.now
    to.ctime = this.now
  }

  chown(inode: RefInode, uid: number, gid: number): void {
    inode.uid = uid
    inode.gid = gid
    this.kill(inode)
    inode.ctime = this.now
  }

  private kill(inode: RefInode): void {
    if (inode.type === 'directory') return
    inode.mode &= ~0o4000
    if (inode.mode & 0o010) inode.mode &= ~0o2000
  }
}

/** Whether `inode` is `top` or lies below it. */
function within(inode: RefInode, top: RefInode): boolean {
  for (let at: RefInode | null = inode; at !== null; at = at.parent) if (at === top) return true
  return false
}

function refuseReplace(moved: RefInode, other: RefInode): void {
  if (other.type === 'directory' && moved.type !== 'directory') throw new Refusal('is-a-directory')
  if (other.type !== 'directory' && moved.type === 'directory') throw new Refusal('not-a-directory')
  if (other.children.size > 0) throw new Refusal('not-empty')
}
