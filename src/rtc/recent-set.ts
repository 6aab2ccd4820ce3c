/** The last so many strings. */
export class RecentSet {
  private readonly members = new Set<string>()
  private readonly sizeMax: number

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
  }

  has(member: string): boolean {
    return this.members.has(member)
  }

  add(member: string): void {
    this.members.delete(member)
    this.members.add(member)
    if (this.members.size <= this.sizeMax) return
    for (const oldest of this.members) {
      this.members.delete(oldest)
      return
    }
  }
}
