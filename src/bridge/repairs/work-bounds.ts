/** How much of completions and repairs this process does at once: so many segments, so many bytes of shards in memory. */

/** Two segments of 4 of 8 with two shards missing, at their largest. */
const BYTES_MAX = 24 * 1024 * 1024
const SEGMENTS_MAX = 16

export class WorkBounds {
  private bytes = 0
  private segments = 0
  private readonly waiting: (() => void)[] = []

  /** Resolves when there is room; release it once. What is larger than all goes alone. */
  async enter(bytes: number): Promise<() => void> {
    const cost = Math.min(bytes, BYTES_MAX)
    while (this.segments >= SEGMENTS_MAX || this.bytes + cost > BYTES_MAX) {
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
    this.bytes += cost
    this.segments++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.bytes -= cost
      this.segments--
      for (const resolve of this.waiting.splice(0)) resolve()
    }
  }
}
