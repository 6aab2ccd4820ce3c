/** What a mounted folder shows, taken by a process of its own, and how two of them differ. */
import path from 'node:path'
import { runProgram } from './programs.js'

const CHILD = path.resolve('dist-test/test/support/manifest-child.js')
const FIELDS = ['name', 'mode', 'uid', 'gid', 'size', 'mtime', 'ctime', 'nlink', 'blocks', 'target', 'group', 'hash']
const SHOWN_MAX = 20

export type Manifest = readonly string[]

export async function manifestOf(
  folder: string,
  order: 'forward' | 'backward' | 'stripes' = 'forward',
  timeoutMs = 240_000,
): Promise<Manifest> {
  const ran = await runProgram(process.execPath, [CHILD, folder, order], { timeoutMs })
  if (ran.status !== 0)
    throw new Error(`the manifest of ${folder} (${order}): exit ${ran.status}\n${ran.stderr.slice(-2_000)}`)
  return ran.stdout.trimEnd().split('\n')
}

/** Readable differences, none when both are the same. */
export function differences(wanted: Manifest, found: Manifest): string[] {
  const left = byName(wanted)
  const right = byName(found)
  const all: string[] = []
  for (const [name, row] of left) {
    const other = right.get(name)
    if (other === undefined) all.push(`${brief(name)}: missing`)
    else if (JSON.stringify(row) !== JSON.stringify(other)) all.push(`${brief(name)}: ${tell(row, other)}`)
  }
  for (const name of right.keys()) if (!left.has(name)) all.push(`${brief(name)}: not wanted`)
  return all.length > SHOWN_MAX ? [...all.slice(0, SHOWN_MAX), `and ${all.length - SHOWN_MAX} more`] : all
}

function byName(manifest: Manifest): Map<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const line of manifest) {
    const row: unknown = JSON.parse(line)
    if (Array.isArray(row)) rows.set(Buffer.from(row[0], 'hex').toString('latin1'), row)
    else rows.set(`attributes of ${String(row).split('\n')[0]}`, row)
  }
  return rows
}

function brief(name: string): string {
  return name.length > 100 ? `${name.slice(0, 40)}...${name.slice(-50)}` : name
}

function tell(row: unknown, other: unknown): string {
  if (!Array.isArray(row) || !Array.isArray(other)) return `${JSON.stringify(row)} became ${JSON.stringify(other)}`
  return FIELDS.flatMap((field, at) => (row[at] === other[at] ? [] : `${field} ${row[at]} became ${other[at]}`)).join(
    ', ',
  )
}
