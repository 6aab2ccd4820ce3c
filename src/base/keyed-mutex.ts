/**
 * One holder a key, first come first served. Used for inode locks. A key without waiters costs nothing.
 */
export class KeyedMutex<K> {
  private readonly tails = new Map<K, Promise<void>>()

  /** Resolves when the key is held; the value releases it and must be called exactly once. */
  async acquire(key: K): Promise<() => void> {
    const before = this.tails.get(key)
    let open: () => void = () => {}
    const mine = new Promise<void>((resolve) => {
      open = resolve
    })
    this.tails.set(key, mine)
    if (before) await before
    return () => {
      if (this.tails.get(key) === mine) this.tails.delete(key)
      open()
    }
  }

  async run<T>(key: K, work: () => Promise<T>): Promise<T> {
    const release = await this.acquire(key)
    try {
      return await work()
    } finally {
      release()
    }
  }

  isHeld(key: K): boolean {
    return this.tails.has(key)
  }

  get size(): number {
    return this.tails.size
  }
}
