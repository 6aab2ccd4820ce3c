/** Rows of figures: measured, gathered over rounds, put together as medians, printed, written down. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A figure's name carries its unit: `MB/s`, `CPU ms/MB: daemon`, `peak MiB: host`. */
export type Row = Record<string, number>

/** MB/s and the like always mean 10^6 bytes of the file, whatever went over the wire. */
export const MB = 1e6

export class Figures {
  private readonly rows = new Map<string, Row[]>()

  add(name: string, row: Row): void {
    const rows = this.rows.get(name) ?? []
    rows.push(row)
    this.rows.set(name, rows)
    console.error(`  ${name}: ${describe(row)}`)
  }

  median(name: string, figure: string): number {
    const values = (this.rows.get(name) ?? []).flatMap((row) => row[figure] ?? [])
    return medianOf(values)
  }

  medians(): Record<string, Row> {
    const result: Record<string, Row> = {}
    for (const [name, rows] of this.rows) {
      const figures = new Set(rows.flatMap((row) => Object.keys(row)))
      result[name] = Object.fromEntries([...figures].map((figure) => [figure, this.median(name, figure)]))
    }
    return result
  }

  rounds(): Record<string, Row[]> {
    return Object.fromEntries(this.rows)
  }
}

export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const high = sorted[middle] as number
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2
}

function describe(row: Row): string {
  return Object.entries(row)
    .map(([figure, value]) => `${figure} ${format(value)}`)
    .join(', ')
}

export function format(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2)
}

/** A table in Markdown; a figure that a row does not have is a dash. */
export function tableOf(rows: Record<string, Row>, names: readonly string[], figures: readonly string[]): string {
  const cells = [['', ...figures], ...names.map((name) => [name, ...figures.map((one) => format(rows[name]?.[one]))])]
  const widths = figures.map((_, at) => Math.max(...cells.map((line) => line[at + 1]?.length ?? 0)))
  const first = Math.max(...cells.map((line) => line[0]?.length ?? 0))
  const lines = cells.map((line) => {
    const rest = line.slice(1).map((cell, at) => cell.padStart(widths[at] as number))
    return `| ${(line[0] as string).padEnd(first)} | ${rest.join(' | ')} |`
  })
  const rule = `| ${'-'.repeat(first)} | ${widths.map((width) => `${'-'.repeat(width - 1)}:`).join(' | ')} |`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}

export function machine(): Record<string, string | number> {
  const [cpu] = os.cpus()
  const memory = `${(os.totalmem() / 2 ** 30).toFixed(0)} GiB`
  return { cpu: cpu?.model ?? '', cores: os.cpus().length, memory, kernel: os.release(), node: process.version }
}

/** Into bench/results/, which git does not keep. */
export function writeResult(name: string, result: object): string {
  const dir = path.resolve('bench/results')
  fs.mkdirSync(dir, { recursive: true })
  const file = path.join(dir, `${name}-${new Date().toISOString().replace(/[:.]/g, '-').slice(0, 19)}.json`)
  fs.writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`)
  return file
}
