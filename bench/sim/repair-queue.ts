/**
 * Segments that wait for repair, the most endangered first. All segments of a run have one scheme, for which the expected time to
 * loss rises with the number of counted shards (test/rooms/bridge/repair-threshold.test.ts): one list a count, oldest first.
 */
export class RepairQueue {
  private readonly first: Int32Array
  private readonly last: Int32Array
  private readonly after: Int32Array
  private readonly before: Int32Array
  private readonly listOf: Int16Array
  private readonly since: Float64Array
  size = 0

  constructor(segments: number, totalShards: number) {
    this.first = new Int32Array(totalShards + 1).fill(-1)
    this.last = new Int32Array(totalShards + 1).fill(-1)
    this.after = new Int32Array(segments)
    this.before = new Int32Array(segments)
    this.listOf = new Int16Array(segments).fill(-1)
    this.since = new Float64Array(segments)
  }

  has(segment: number): boolean {
    return this.listOf[segment] !== -1
  }

  /** Comes in, or to the place that its new count gives it. Its waiting time goes on. */
  put(segment: number, counted: number, now: number): void {
    if (this.listOf[segment] === counted) return
    if (this.has(segment)) this.unlink(segment)
    else this.since[segment] = now
    const end = this.last[counted] as number
    this.before[segment] = end
    this.after[segment] = -1
    if (end === -1) this.first[counted] = segment
    else this.after[end] = segment
    this.last[counted] = segment
    this.listOf[segment] = counted
    this.size++
  }

  /** Returns since when it waited. */
  remove(segment: number): number {
    this.unlink(segment)
    this.listOf[segment] = -1
    return this.since[segment] as number
  }

  /** -1 when nothing waits. */
  mostUrgent(): number {
    for (let counted = 0; counted < this.first.length; counted++) {
      const segment = this.first[counted] as number
      if (segment !== -1) return segment
    }
    return -1
  }

  private unlink(segment: number): void {
    const list = this.listOf[segment] as number
    const before = this.before[segment] as number
    const after = this.after[segment] as number
    if (before === -1) this.first[list] = after
    else this.after[before] = after
    if (after === -1) this.last[list] = before
    else this.before[after] = before
    this.size--
  }
}
