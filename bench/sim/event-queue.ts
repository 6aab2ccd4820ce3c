/** Events in order of time: a binary heap in typed arrays that grows by doubling. Equal times come out in a fixed order. */
export class EventQueue {
  private times = new Float64Array(1024)
  private kinds = new Uint8Array(1024)
  private subjects = new Int32Array(1024)
  private stamps = new Int32Array(1024)
  size = 0
  /** Of the event that `take` took. */
  time = 0
  kind = 0
  subject = 0
  stamp = 0

  add(time: number, kind: number, subject: number, stamp: number): void {
    if (this.size === this.times.length) this.grow()
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((this.times[parent] as number) <= time) break
      this.move(parent, at)
      at = parent
    }
    this.put(at, time, kind, subject, stamp)
  }

  /** False when there is none. */
  take(): boolean {
    if (this.size === 0) return false
    this.time = this.times[0] as number
    this.kind = this.kinds[0] as number
    this.subject = this.subjects[0] as number
    this.stamp = this.stamps[0] as number
    const last = --this.size
    const time = this.times[last] as number
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && (this.times[child + 1] as number) < (this.times[child] as number)) child++
      if ((this.times[child] as number) >= time) break
      this.move(child, at)
      at = child
    }
    this.move(last, at)
    return true
  }

  private put(at: number, time: number, kind: number, subject: number, stamp: number): void {
    this.times[at] = time
    this.kinds[at] = kind
    this.subjects[at] = subject
    this.stamps[at] = stamp
  }

  private move(from: number, to: number): void {
    this.times[to] = this.times[from] as number
    this.kinds[to] = this.kinds[from] as number
    this.subjects[to] = this.subjects[from] as number
    this.stamps[to] = this.stamps[from] as number
  }

  private grow(): void {
    const bigger = this.times.length * 2
    const times = new Float64Array(bigger)
    times.set(this.times)
    const kinds = new Uint8Array(bigger)
    kinds.set(this.kinds)
    const subjects = new Int32Array(bigger)
    subjects.set(this.subjects)
    const stamps = new Int32Array(bigger)
    stamps.set(this.stamps)
    Object.assign(this, { times, kinds, subjects, stamps })
  }
}
