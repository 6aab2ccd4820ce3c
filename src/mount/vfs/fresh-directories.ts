/**
 * Directories that were made here and whose every name is known since: a name that is not in the list surely does not exist,
 * and a lookup of it is answered at once. Copying a tree or unpacking an archive asks for one missing name per file.
 *
 * The list is what may exist: names go in when a call that could make them is sent, and never come out (a call that
 * makes a name again may be under way when an answer says that it went). Bounded: a directory that grows too large, and
 * the oldest when there are too many names, are forgotten; then the ledger is asked.
 */
const NAMES_MAX = 10_000
const TOTAL_MAX = 200_000

export class FreshDirectories {
  private readonly directories = new Map<number, Set<string>>()
  private total = 0

  /** A directory was made just now: it is empty. */
  begin(directory: number): void {
    this.directories.set(directory, new Set())
    this.total++
    this.shrink()
  }

  /** A name may exist from now on: before the call that makes it is sent. */
  note(directory: number, name: Buffer): void {
    const names = this.directories.get(directory)
    if (names === undefined) return
    const before = names.size
    names.add(name.toString('latin1'))
    this.total += names.size - before
    if (names.size > NAMES_MAX) this.forget(directory)
    this.shrink()
  }

  /** The name surely does not exist. */
  lacks(directory: number, name: Buffer): boolean {
    const names = this.directories.get(directory)
    return names !== undefined && !names.has(name.toString('latin1'))
  }

  forget(directory: number): void {
    const names = this.directories.get(directory)
    if (names === undefined) return
    this.directories.delete(directory)
    this.total -= names.size + 1
  }

  forgetAll(): void {
    this.directories.clear()
    this.total = 0
  }

  private shrink(): void {
    for (const directory of this.directories.keys()) {
      if (this.total <= TOTAL_MAX) return
      this.forget(directory)
    }
  }
}
