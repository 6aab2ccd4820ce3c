/** Which runs are in the cache, in the order of their last use. In memory: a hit costs no write. */
export interface Run {
  readonly id: number
  /** Sealed bytes of its units. */
  bytes: number
  /** Rises with every use, of any run. */
  used: number
  /** Bit i: unit i of the run stays, whether it is here already or not. */
  pinned: number
}

export class RunList {
  /** In the order of use, the longest unused first. */
  private readonly runs = new Map<number, Run>()
  /** Those of which nothing but pinned units is here: there is nothing to evict. */
  private readonly bare = new Map<number, Run>()
  private readonly unsaved = new Set<number>()
  private lastUsed = 0
  bytes = 0

  /** In the order of `used`. */
  fill(runs: Iterable<Run>): void {
    for (const run of runs) {
      this.runs.set(run.id, run)
      this.bytes += run.bytes
      this.lastUsed = Math.max(this.lastUsed, run.used)
    }
  }

  get size(): number {
    return this.runs.size + this.bare.size
  }

  /** Runs of which something may be evicted, as far as is known. */
  get evictable(): number {
    return this.runs.size
  }

  get(id: number): Run | undefined {
    return this.runs.get(id) ?? this.bare.get(id)
  }

  touch(id: number): void {
    const run = this.runs.get(id)
    if (run === undefined || run.used === this.lastUsed) return
    this.runs.delete(id)
    this.runs.set(id, run)
    run.used = ++this.lastUsed
    this.unsaved.add(id)
  }

  add(id: number): Run {
    const run: Run = { id, bytes: 0, used: ++this.lastUsed, pinned: 0 }
    this.runs.set(id, run)
    this.unsaved.add(id)
    return run
  }

  grow(run: Run, bytes: number): void {
    run.bytes += bytes
    this.bytes += bytes
    this.reconsider(run)
  }

  pin(run: Run, pinned: number): void {
    if (run.pinned === pinned) return
    run.pinned = pinned
    this.reconsider(run)
  }

  /** All of it that is here is pinned: it is passed over until it changes. */
  setBare(run: Run): void {
    this.runs.delete(run.id)
    this.bare.set(run.id, run)
  }

  drop(id: number): void {
    const run = this.get(id)
    if (run === undefined) return
    this.bytes -= run.bytes
    this.runs.delete(id)
    this.bare.delete(id)
    this.unsaved.delete(id)
  }

  oldest(): Run | undefined {
    return this.runs.values().next().value
  }

  *pinned(): Iterable<Run> {
    for (const runs of [this.runs, this.bare]) for (const run of runs.values()) if (run.pinned !== 0) yield run
  }

  /** Up to `countMax` runs of which the disk does not know the newest; they count as known now. */
  takeUnsaved(countMax: number): Run[] {
    const taken: Run[] = []
    for (const id of this.unsaved) {
      if (taken.length >= countMax) break
      this.unsaved.delete(id)
      const run = this.get(id)
      if (run) taken.push(run)
    }
    return taken
  }

  clear(): void {
    this.runs.clear()
    this.bare.clear()
    this.unsaved.clear()
    this.bytes = 0
  }

  private reconsider(run: Run): void {
    this.unsaved.add(run.id)
    if (this.bare.delete(run.id)) this.runs.set(run.id, run)
  }
}
