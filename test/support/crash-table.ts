/** What kills have cost, as a table: failpoint and work, kills, how many of them at the failpoint itself, losses, findings of fsck. */
import type { Outcome } from './crash-run.js'

export interface Row {
  point: string
  workload: string
  kills: number
  hits: number
  losses: number
  findings: number
}

export function rowsOf(outcomes: readonly Outcome[]): Row[] {
  const rows = new Map<string, Row>()
  for (const { point, workload, isHit, losses, findings } of outcomes) {
    const key = `${point} ${workload}`
    const row = rows.get(key) ?? { point, workload, kills: 0, hits: 0, losses: 0, findings: 0 }
    row.kills++
    row.hits += isHit ? 1 : 0
    row.losses += losses.length
    row.findings += findings.length
    rows.set(key, row)
  }
  return [...rows.values()].sort((a, b) => (`${a.point} ${a.workload}` < `${b.point} ${b.workload}` ? -1 : 1))
}

export function tableOf(outcomes: readonly Outcome[]): string[] {
  const rows = rowsOf(outcomes)
  const sum = (what: 'kills' | 'hits' | 'losses' | 'findings') => rows.reduce((total, row) => total + row[what], 0)
  const all = { point: 'all', workload: '', ...{ kills: sum('kills'), hits: sum('hits') } }
  const last = { ...all, losses: sum('losses'), findings: sum('findings') }
  const head = '| failpoint | work | kills | at it | losses | findings |'
  const cells = (row: Row) => [row.point, row.workload, row.kills, row.hits, row.losses, row.findings].join(' | ')
  return [head, '| --- | --- | --- | --- | --- | --- |', ...[...rows, last].map((row) => `| ${cells(row)} |`)]
}
