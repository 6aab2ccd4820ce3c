/** A person at a drive: whole files and paths over a Vfs, as a kernel would call it. Paths are '/'-separated, names are bytes. */
import type { OpenFlags, RequestContext } from '../../src/mount/fuse/filesystem.js'
import type { Vfs } from '../../src/mount/vfs/vfs.js'

const ROOT_INO = 1
const TYPE_MASK = 0o170000
const DIRECTORY = 0o040000
const LINK = 0o120000
const READ_BYTES = 1_048_576
const FLAGS: OpenFlags = {
  ...{ read: true, write: true, append: false, truncate: false, exclusive: false, sync: false, direct: false },
  ...{ noAtime: false, killSuidGid: false },
}
const LOOK_ONLY: OpenFlags = { ...FLAGS, write: false }
const PLAIN_WRITE = { append: false, killSuidGid: false }

export type Path = readonly Buffer[]

export function pathOf(text: string): Path {
  return text.split('/').map((name) => Buffer.from(name))
}

export class Hand {
  private readonly vfs: Vfs

  constructor(vfs: Vfs) {
    this.vfs = vfs
  }

  async makeFolder(path: string | Path): Promise<void> {
    await this.within(path, async (parent, name) => {
      const made = await this.vfs.makeDirectory(parent, name, 0o755, context())
      this.vfs.forget(made.ino, 1)
    })
  }

  /** The whole file, new or instead of what was there. */
  async write(path: string | Path, bytes: Buffer): Promise<void> {
    await this.within(path, async (parent, name) => {
      const made = await this.vfs.create(parent, name, 0o644, { ...FLAGS, truncate: true }, context())
      const { ino } = made.attributes
      for (let at = 0; at < bytes.length; at += READ_BYTES) {
        await this.vfs.write(ino, made.fh, at, bytes.subarray(at, at + READ_BYTES), PLAIN_WRITE)
      }
      this.vfs.release(ino, made.fh)
      this.vfs.forget(ino, 1)
    })
  }

  async read(path: string | Path, signal = new AbortController().signal): Promise<Buffer> {
    return this.at(path, async (ino) => {
      const { size } = await this.vfs.getAttributes(ino)
      const { fh } = await this.vfs.open(ino, LOOK_ONLY)
      const parts: Buffer[] = []
      try {
        for (let at = 0; at < size; at += READ_BYTES) {
          parts.push(...[await this.vfs.read(ino, fh, at, READ_BYTES, { ...context(), signal })].flat())
        }
      } finally {
        this.vfs.release(ino, fh)
      }
      return Buffer.concat(parts)
    })
  }

  /** Piece by piece: what each one says, or why it does not. */
  async readPieces(path: string | Path): Promise<(Buffer | Error)[]> {
    return this.at(path, async (ino) => {
      const { size } = await this.vfs.getAttributes(ino)
      const { fh } = await this.vfs.open(ino, LOOK_ONLY)
      const pieces: Promise<Buffer | Error>[] = []
      for (let at = 0; at < size; at += READ_BYTES) {
        const read = async () => Buffer.concat([await this.vfs.read(ino, fh, at, READ_BYTES, context())].flat())
        pieces.push(read().catch((error: Error) => error))
      }
      const found = await Promise.all(pieces)
      this.vfs.release(ino, fh)
      return found
    })
  }

  async symlink(path: string | Path, target: Buffer): Promise<void> {
    await this.within(path, async (parent, name) => {
      const made = await this.vfs.makeSymlink(parent, name, target, context())
      this.vfs.forget(made.ino, 1)
    })
  }

  async setXattr(path: string | Path, name: Buffer, value: Buffer): Promise<void> {
    const flags = { create: false, replace: false }
    await this.at(path, (ino) => this.vfs.setXattr(ino, name, value, flags, context()))
  }

  async remove(path: string | Path): Promise<void> {
    await this.within(path, (parent, name) => this.vfs.unlink(parent, name))
  }

  async rename(from: string | Path, to: string | Path): Promise<void> {
    await this.within(from, (parent, name) =>
      this.within(to, (newParent, newName) =>
        this.vfs.rename(parent, name, newParent, newName, { noReplace: false, exchange: false }),
      ),
    )
  }

  /** Every path with its content (hex of names, so that any bytes do), folders with null, links with their target. */
  async tree(): Promise<Map<string, Buffer | null>> {
    const found = new Map<string, Buffer | null>()
    await this.walk([], ROOT_INO, found)
    return found
  }

  private async walk(path: Path, ino: number, found: Map<string, Buffer | null>): Promise<void> {
    const { fh } = await this.vfs.openDirectory(ino)
    const entries = (await this.vfs.readDirectory(ino, fh, 0, 10_000, false)).filter(
      ({ name }) => !['.', '..'].includes(name.toString('latin1')),
    )
    this.vfs.releaseDirectory(ino, fh)
    for (const { name } of entries) {
      const inner = [...path, name]
      const text = inner.map((one) => one.toString('latin1')).join('/')
      await this.at(inner, async (child, mode) => {
        if ((mode & TYPE_MASK) === LINK) found.set(text, await this.vfs.readLink(child))
        else if ((mode & TYPE_MASK) !== DIRECTORY) found.set(text, await this.read(inner))
        else {
          found.set(text, null)
          await this.walk(inner, child, found)
        }
      })
    }
  }

  private async at<T>(path: string | Path, work: (ino: number, mode: number) => T | Promise<T>): Promise<T> {
    const looked: number[] = []
    try {
      let inode = await this.vfs.getAttributes(ROOT_INO)
      for (const name of typeof path === 'string' ? pathOf(path) : path) {
        const next = await this.vfs.lookup(inode.ino, name)
        if (next === null) throw new Error(`no such name: ${name}`)
        looked.push(next.ino)
        inode = next
      }
      return await work(inode.ino, inode.mode)
    } finally {
      for (const ino of looked) this.vfs.forget(ino, 1)
    }
  }

  private within<T>(path: string | Path, work: (parent: number, name: Buffer) => T | Promise<T>): Promise<T> {
    const names = typeof path === 'string' ? pathOf(path) : path
    return this.at(names.slice(0, -1), (parent) => work(parent, names.at(-1) as Buffer))
  }
}

function context(): RequestContext {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 1, signal: new AbortController().signal }
}
