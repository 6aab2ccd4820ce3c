/** What a check of a host found wrong: a code that stays, and a sentence. The first ones of each code are kept, all are counted. */

export interface HostFinding {
  code: HostFindingCode
  message: string
}

export type HostFindingCode =
  | 'volume-foreign'
  | 'volume-missing'
  | 'volume-short'
  | 'volume-damaged'
  | 'shard-damaged'
  | 'index-missing'
  | 'row-missing'
  | 'row-wrong'
  | 'row-twice'
  | 'record-missing'
  | 'counter-wrong'
  | 'cover-missing'
  | 'serial-missing'
  | 'loss-missing'
  | 'loss-wrong'

const KEPT_PER_CODE = 100

export class Findings {
  readonly kept: HostFinding[] = []
  private readonly counts = new Map<HostFindingCode, number>()

  add(code: HostFindingCode, message: string): void {
    const count = (this.counts.get(code) ?? 0) + 1
    this.counts.set(code, count)
    if (count <= KEPT_PER_CODE) this.kept.push({ code, message })
  }

  get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }
}
