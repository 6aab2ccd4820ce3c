/**
 * Files that are removed while they are open. libfuse does not remove them: it renames them to `.fuse_hidden` and 16 digits in the
 * same directory, and unlinks that name when the last descriptor is closed. Such a name would be seen by everybody, keep the
 * directory from being removed, and stay for ever after a crash. Here it is a name that only this door knows: the file loses its
 * real name, the file system keeps its bytes while it is open, and after a crash nothing is left.
 *
 * A rename onto an open file begins the same way: libfuse hides what is there, then renames. Removing it at once would leave a
 * moment, or a crash, without a file of that name. So a removal is owed for a moment: when the same thread comes next with that
 * rename, it becomes one atomic rename; with anything else, or after GRACE_MS, the name is removed. Whoever else asks meanwhile waits,
 * so nobody can tell that the name is still there.
 */
import { AppError, codeOf } from '../../base/errors.js'
import { failpoint } from '../../base/failpoint.js'
import type { Log } from '../../base/log.js'
import type { FileSystem } from '../fuse/filesystem.js'
import { type Ask, ownContext } from './ask.js'
import type { Handles } from './handles.js'
import type { Place } from './paths.js'

const NAME = /^\.fuse_hidden[0-9a-f]{16}$/
/** The rename comes within a fraction of a millisecond, unless the machine is busy elsewhere. */
const GRACE_MS = 10

interface Alias {
  readonly parent: number
  readonly ino: number
}

/** A name that is to be removed, unless a rename takes its place. */
interface Owed {
  readonly thread: object
  readonly from: Place
  readonly ino: number
  readonly decided: Promise<void>
  readonly decide: () => void
  removing: Promise<void> | null
  isClaimed: boolean
  timer: NodeJS.Timeout | undefined
}

export class HiddenNames {
  private readonly fs: FileSystem
  private readonly handles: Handles
  private readonly log: Log
  private readonly removed: (parent: number, name: Buffer) => void
  private readonly aliases = new Map<string, Alias>()
  private owed: Owed | null = null

  /** `removed`: a name is gone. */
  constructor(parts: {
    fs: FileSystem
    handles: Handles
    log: Log
    removed(parent: number, name: Buffer): void
  }) {
    this.fs = parts.fs
    this.handles = parts.handles
    this.log = parts.log
    this.removed = parts.removed
  }

  inoOf(place: Place): number | undefined {
    return this.aliases.get(place.key)?.ino
  }

  /** Names that libfuse gives are nobody else's: they would vanish when they are closed. */
  refuseName(name: Buffer): void {
    if (this.isHiddenName(name)) throw new AppError('not-permitted', 'names of this form belong to libfuse')
  }

  isHiddenName(name: Buffer): boolean {
    return NAME.test(name.toString('latin1'))
  }

  isAnyIn(parent: number): boolean {
    return [...this.aliases.values()].some((alias) => alias.parent === parent)
  }

  /** libfuse moves an open file out of the way. */
  async hide(ask: Ask, from: Place, to: Place): Promise<void> {
    const known = this.aliases.get(from.key)
    if (known !== undefined) {
      this.aliases.delete(from.key)
      this.aliases.set(to.key, known)
      return
    }
    const found = await this.fs.lookup(from.parent, from.name, ask)
    if (found === null) throw new AppError('not-found', 'no such name')
    try {
      if (from.parent !== to.parent || !this.handles.isOpen(found.ino)) this.refuseName(to.name)
      // Onto itself: nothing changes, but a drive that cannot be written says so now.
      const keep = { noReplace: false, exchange: false }
      await this.fs.rename(from.parent, from.name, from.parent, from.name, keep, ask)
      while (this.owed !== null) await this.owed.decided
    } catch (error) {
      this.fs.forget(found.ino, 1)
      throw error
    }
    // Its lookup is held as long as the alias.
    this.aliases.set(to.key, { parent: to.parent, ino: found.ino })
    this.owe(ask, from, found.ino)
    failpoint('mount.hidden.owed')
  }

  /** Before any operation: what it has to wait for. */
  gate(ask: Ask, operation: string): Promise<void> | undefined {
    const { owed } = this
    if (owed === null) return undefined
    if (owed.thread !== ask.thread) return owed.decided
    // A removal that has begun would take away what a rename puts there.
    return operation === 'rename' && owed.removing === null ? undefined : this.remove(owed)
  }

  /** For a rename of the thread that owes a removal: it has all the time it needs, and ends with settle(). */
  claim(ask: Ask): Owed | null {
    const { owed } = this
    if (owed === null || owed.thread !== ask.thread || owed.removing !== null) return null
    clearTimeout(owed.timer)
    owed.isClaimed = true
    return owed
  }

  /** `isReplaced`: the rename was onto that very name, whether it succeeded or not. */
  settle(owed: Owed, isReplaced: boolean): Promise<void> {
    if (!isReplaced) return this.remove(owed)
    this.finish(owed)
    return Promise.resolve()
  }

  /** The last descriptor is closed. False: this is no alias. */
  drop(place: Place): boolean {
    const alias = this.aliases.get(place.key)
    if (alias === undefined) return false
    this.aliases.delete(place.key)
    this.fs.forget(alias.ino, 1)
    return true
  }

  /** After the end of the mount. */
  async dropAll(): Promise<void> {
    if (this.owed !== null) await this.remove(this.owed)
    for (const { ino } of this.aliases.values()) this.fs.forget(ino, 1)
    this.aliases.clear()
  }

  private owe(ask: Ask, from: Place, ino: number): void {
    let decide = () => {}
    const decided = new Promise<void>((resolve) => {
      decide = resolve
    })
    const state = { removing: null, isClaimed: false, timer: undefined }
    const owed: Owed = { thread: ask.thread, from, ino, decided, decide, ...state }
    // A rename that arrived while this thread was busy elsewhere is heard before the timer counts.
    owed.timer = setTimeout(() => setImmediate(() => void this.removeLate(owed)), GRACE_MS)
    this.owed = owed
  }

  private async removeLate(owed: Owed): Promise<void> {
    if (this.owed === owed && !owed.isClaimed) await this.remove(owed)
  }

  private remove(owed: Owed): Promise<void> {
    owed.removing ??= this.unlink(owed)
    return owed.removing
  }

  private async unlink(owed: Owed): Promise<void> {
    const { parent, name } = owed.from
    const ctx = ownContext()
    try {
      const found = await this.fs.lookup(parent, name, ctx)
      if (found !== null) this.fs.forget(found.ino, 1)
      if (found?.ino === owed.ino) await this.fs.unlink(parent, name, ctx)
      this.removed(parent, name)
    } catch (error) {
      this.log.warn({ code: codeOf(error) }, 'a file that was removed while it was open keeps its name')
    } finally {
      this.finish(owed)
    }
  }

  private finish(owed: Owed): void {
    clearTimeout(owed.timer)
    if (this.owed === owed) this.owed = null
    owed.decide()
  }
}
