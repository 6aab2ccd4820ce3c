/**
 * From the paths of libfuse to inodes. The kernel remembers nothing at this door and asks for every name again and again, so names are
 * remembered here, as many as NAMES_MAX: with one lookup held for each, and the least used forgotten first. A directory that
 * is forgotten takes the names below it along, because nobody would be told any more what happens to those.
 *
 * libfuse keeps renames and removals apart from operations on the same names. Whoever takes a name away or puts another in its place
 * says so by forgetName(), and so does the drive when another device did: who was asking just then does not remember what he found.
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

/** What a name leads to. Its lookup is given back when it is forgotten and nobody uses it. */
interface Known {
  readonly key: string
  readonly parent: number
  readonly ino: number
  readonly isDirectory: boolean
  uses: number
  isForgotten: boolean
}

export const ROOT_INO = 1
const S_IFMT = 0o170000
const S_IFDIR = 0o040000
/** Some 2 MB with what the file system keeps for each. */
const NAMES_MAX = 4096
/** Not a byte. */
const FOREIGN = /[^\0-\xff]/

export class Paths {
  private readonly fs: FileSystem
  private readonly namesMax: number
  private readonly names = new Map<string, Known>()
  /** For each directory that is remembered, and the root: the names in it that are. */
  private readonly below = new Map<number, Set<string>>([[ROOT_INO, new Set()]])
  private changes = 0

  constructor(fs: FileSystem, options: { namesMax?: number } = {}) {
    this.fs = fs
    this.namesMax = options.namesMax ?? NAMES_MAX
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
    const known = this.recall(place.key) ?? (await this.fetch(place, ctx))
    try {
      return await work(known.ino, false)
    } finally {
      this.release(known)
    }
  }

  /** What this name leads to is asked anew. */
  forgetName(parent: number, name: Buffer): void {
    this.changes++
    const known = this.names.get(keyOf(parent, name.toString('latin1')))
    if (known !== undefined) this.forget(known)
  }

  forgetAll(): void {
    this.changes++
    for (const known of [...this.names.values()]) this.forget(known)
  }

  private async directory(parent: number, name: string, ctx: RequestContext): Promise<number> {
    const key = keyOf(parent, name)
    const known = this.recall(key) ?? (await this.fetch({ parent, name: Buffer.from(name, 'latin1'), key }, ctx))
    this.release(known)
    if (!known.isDirectory) throw new AppError('not-a-directory', 'a file on the way')
    return known.ino
  }

  /** As fetch(): in use until release(). */
  private recall(key: string): Known | undefined {
    const known = this.names.get(key)
    if (known === undefined) return undefined
    this.names.delete(key)
    this.names.set(key, known)
    known.uses++
    return known
  }

  private async fetch({ parent, name, key }: Place, ctx: RequestContext): Promise<Known> {
    const { changes } = this
    const found = await this.fs.lookup(parent, name, ctx)
    if (found === null) throw new AppError('not-found', 'no such name')
    const isDirectory = (found.mode & S_IFMT) === S_IFDIR
    const known: Known = { key, parent, ino: found.ino, isDirectory, uses: 1, isForgotten: true }
    if (changes === this.changes && this.below.has(parent) && !this.names.has(key)) this.remember(known)
    return known
  }

  private remember(known: Known): void {
    known.isForgotten = false
    this.names.set(known.key, known)
    this.below.get(known.parent)?.add(known.key)
    if (known.isDirectory) this.below.set(known.ino, this.below.get(known.ino) ?? new Set())
    if (this.names.size <= this.namesMax) return
    const oldest = this.names.values().next().value
    if (oldest !== undefined) this.forget(oldest)
  }

  private forget(known: Known): void {
    if (known.isForgotten) return
    this.names.delete(known.key)
    this.below.get(known.parent)?.delete(known.key)
    known.isForgotten = true
    if (known.isDirectory) {
      const names = this.below.get(known.ino) ?? []
      this.below.delete(known.ino)
      for (const key of names) this.forget(this.names.get(key) as Known)
    }
    this.giveBack(known)
  }

  private release(known: Known): void {
    known.uses--
    this.giveBack(known)
  }

  private giveBack(known: Known): void {
    if (known.isForgotten && known.uses === 0) this.fs.forget(known.ino, 1)
  }
}

function keyOf(parent: number, name: string): string {
  return `${parent}/${name}`
}
