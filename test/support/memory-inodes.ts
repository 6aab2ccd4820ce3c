/** Inodes of the in-memory file system: what a file is, without any rule of when it may change. */
import type { Attributes, Timestamp } from '../../src/mount/fuse/filesystem.js'

export const TYPE_MASK = 0o170000
export const DIRECTORY = 0o040000
export const REGULAR = 0o100000
export const SYMLINK = 0o120000

const CHUNK = 1 << 16

export interface Dentry {
  readonly name: Buffer
  readonly inode: Inode
  readonly cookie: number
}

/** Names are bytes; latin1 keeps each of them apart as a map key. */
export const keyOf = (name: Buffer): string => name.toString('latin1')

export function now(): Timestamp {
  const ms = Date.now()
  const nsec = Number(process.hrtime.bigint() % 1_000_000n)
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 + nsec }
}

export class Inode implements Attributes {
  readonly ino: number
  mode: number
  nlink = 1
  uid: number
  gid: number
  rdev = 0
  size = 0
  atime: Timestamp
  mtime: Timestamp
  ctime: Timestamp
  readonly btime: Timestamp
  lookups = 0
  handles = 0
  readonly xattrs = new Map<string, Buffer>()
  readonly target: Buffer | undefined
  /** Of a directory, in the order of their cookies. */
  readonly entries = new Map<string, Dentry>()
  parent: Inode | undefined
  nextCookie = 3
  /** Bytes of a regular file in chunks; a missing chunk is a hole. */
  private readonly chunks = new Map<number, Buffer>()

  constructor(ino: number, mode: number, owner: { uid: number; gid: number }, target?: Buffer) {
    this.ino = ino
    this.mode = mode
    this.uid = owner.uid
    this.gid = owner.gid
    this.target = target
    if (target !== undefined) this.size = target.length
    this.atime = this.mtime = this.ctime = this.btime = now()
  }

  get blocks(): number {
    return (this.chunks.size * CHUNK) / 512
  }

  get isDirectory(): boolean {
    return (this.mode & TYPE_MASK) === DIRECTORY
  }

  add(name: Buffer, inode: Inode): void {
    this.entries.set(keyOf(name), { name, inode, cookie: this.nextCookie++ })
    this.touch()
  }

  remove(name: Buffer): void {
    this.entries.delete(keyOf(name))
    this.touch()
  }

  touch(): void {
    this.mtime = this.ctime = now()
  }

  readAt(offset: number, size: number): Buffer[] {
    const end = Math.min(offset + size, this.size)
    const parts: Buffer[] = []
    for (let at = offset; at < end; ) {
      const inChunk = at % CHUNK
      const take = Math.min(CHUNK - inChunk, end - at)
      const chunk = this.chunks.get(Math.floor(at / CHUNK))
      parts.push(chunk === undefined ? Buffer.alloc(take) : chunk.subarray(inChunk, inChunk + take))
      at += take
    }
    return parts
  }

  writeAt(offset: number, data: Buffer): void {
    for (let done = 0; done < data.length; ) {
      const index = Math.floor((offset + done) / CHUNK)
      const inChunk = (offset + done) % CHUNK
      let chunk = this.chunks.get(index)
      if (chunk === undefined) {
        chunk = Buffer.alloc(CHUNK)
        this.chunks.set(index, chunk)
      }
      done += data.copy(chunk, inChunk, done)
    }
    this.size = Math.max(this.size, offset + data.length)
  }

  /** Zeroes a range; whole chunks become holes. */
  zero(offset: number, length: number): void {
    const end = offset + length
    for (const [index, chunk] of this.chunks) {
      const start = index * CHUNK
      if (start >= offset && start + CHUNK <= end) this.chunks.delete(index)
      else if (start < end && start + CHUNK > offset) {
        chunk.fill(0, Math.max(0, offset - start), Math.min(CHUNK, end - start))
      }
    }
  }

  resize(size: number): void {
    if (size < this.size) this.zero(size, this.size - size + CHUNK)
    this.size = size
  }

  /** The next byte at or after offset that is in a hole (or is not); the end of the file counts as a hole. */
  seek(offset: number, hole: boolean): number | undefined {
    if (offset >= this.size) return undefined
    let index = Math.floor(offset / CHUNK)
    if (hole) while (this.chunks.has(index)) index++
    else index = [...this.chunks.keys()].reduce((best, one) => (one >= index && one < best ? one : best), Infinity)
    const found = Math.max(offset, index * CHUNK)
    return found < this.size ? found : hole ? this.size : undefined
  }

  /** What losing privileges on a write means. */
  killSuidGid(): void {
    this.mode &= ~0o4000
    if ((this.mode & 0o010) !== 0) this.mode &= ~0o2000
  }
}
