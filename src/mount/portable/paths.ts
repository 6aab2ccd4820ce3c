/**
 * From the paths of libfuse to inodes. Directories on the way are remembered, with one lookup held for each, the least used
 * forgotten first; the last name of a path is looked up each time and forgotten when its operation is over. So nothing is stale
 * for longer than a request, and at the end nothing is held.
 *
 * libfuse keeps renames and removals apart from operations below them. Changes that come from another device are told
 * through forgetName(): whoever was asking just then does not remember what he found.
 *
 * Names are bytes: libfuse's iconv module turns each into a character below 256 (options.ts).
 */
import { AppError } from '../../base/errors.js'
import type { FileSystem, MaybePromise, RequestContext } from '../fuse/filesystem.js'
import type { HiddenNames } from './hidden.js'

/** A name in a directory, which may or may not be there. */
export interface Place {
  readonly parent: number
  readonly name: Buffer
  readonly key: string
}

export const ROOT_INO = 1
const S_IFMT = 0o170000
const S_IFDIR = 0o040000
/** Some 200 KB; a walk through a deeper or wider tree asks again. */
const DIRECTORIES_MAX = 1024
/** Not a byte. */
const FOREIGN = /[^\0-\xff]/

export class Paths {
  private readonly fs: FileSystem
  private readonly directoriesMax: number
  private readonly directories = new Map<string, number>()
  private changes = 0

  constructor(fs: FileSystem, options: { directoriesMax?: number } = {}) {
    this.fs = fs
    this.directoriesMax = options.directoriesMax ?? DIRECTORIES_MAX
  }

  /** Not for the root, which has no name. */
  async place(path: string, ctx: RequestContext): Promise<Place> {
    if (FOREIGN.test(path)) throw new AppError('invalid-argument', 'a name that is not made of bytes')
    const names = path.split('/')
    const name = names.pop() as string
    if (name === '') throw new AppError('busy', 'the root stays where it is')
    let parent = ROOT_INO
    for (const one of names) if (one !== '') parent = await this.directory(parent, one, ctx)
    return { parent, name: Buffer.from(name, 'latin1'), key: keyOf(parent, name) }
  }

  /** Runs `work` with the inode at a path, which stays addressable until it is over. Throws `not-found`. */
  async use<T>(
    path: string,
    hidden: HiddenNames,
    ctx: RequestContext,
    work: (ino: number, isHidden: boolean) => MaybePromise<T>,
  ): Promise<T> {
    if (path === '/') return work(ROOT_INO, false)
    const place = await this.place(path, ctx)
    const unnamed = hidden.inoOf(place)
    if (unnamed !== undefined) return work(unnamed, true)
    const found = await this.fs.lookup(place.parent, place.name, ctx)
    if (found === null) throw notFound()
    try {
      return await work(found.ino, false)
    } finally {
      this.fs.forget(found.ino, 1)
    }
  }

  /** What this name leads to is asked anew. */
  forgetName(parent: number, name: Buffer): void {
    this.changes++
    const key = keyOf(parent, name.toString('latin1'))
    const ino = this.directories.get(key)
    if (ino === undefined) return
    this.directories.delete(key)
    this.fs.forget(ino, 1)
  }

  forgetAll(): void {
    this.changes++
    for (const ino of this.directories.values()) this.fs.forget(ino, 1)
    this.directories.clear()
  }

  private directory(parent: number, name: string, ctx: RequestContext): MaybePromise<number> {
    const key = keyOf(parent, name)
    const known = this.directories.get(key)
    if (known === undefined) return this.fetch(parent, name, key, ctx)
    this.directories.delete(key)
    this.directories.set(key, known)
    return known
  }

  private async fetch(parent: number, name: string, key: string, ctx: RequestContext): Promise<number> {
    const { changes } = this
    const found = await this.fs.lookup(parent, Buffer.from(name, 'latin1'), ctx)
    if (found === null) throw notFound()
    const isDirectory = (found.mode & S_IFMT) === S_IFDIR
    if (isDirectory && changes === this.changes && !this.directories.has(key)) this.remember(key, found.ino)
    else this.fs.forget(found.ino, 1)
    if (!isDirectory) throw new AppError('not-a-directory', 'a file on the way')
    return found.ino
  }

  private remember(key: string, ino: number): void {
    this.directories.set(key, ino)
    if (this.directories.size <= this.directoriesMax) return
    const [oldest, unused] = this.directories.entries().next().value as [string, number]
    this.directories.delete(oldest)
    this.fs.forget(unused, 1)
  }
}

function keyOf(parent: number, name: string): string {
  return `${parent}/${name}`
}

function notFound(): AppError {
  return new AppError('not-found', 'no such name')
}
