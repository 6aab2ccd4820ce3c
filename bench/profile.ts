/** Where the time goes: V8's CPU profiles by room and function, and the CPU time of every thread of a process. */
import fs from 'node:fs'
import { SourceMap } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { threadsOf } from './processes.js'

interface ProfileNode {
  id: number
  callFrame: Frame
}

/** Lines and columns from 0. */
interface Frame {
  functionName: string
  url: string
  lineNumber: number
  columnNumber: number
}

interface Profile {
  nodes: ProfileNode[]
  samples: number[]
  timeDeltas: number[]
  startTime: number
  endTime: number
}

export interface ThreadProfile {
  file: string
  wallMs: number
  /** Neither idle nor waiting in the program's outermost frame. */
  busyMs: number
  rooms: [room: string, ms: number][]
  functions: [name: string, ms: number][]
}

const TOP = 25
const NOT_WORK = new Set(['(idle)', '(program)', '(root)'])

/** All profiles of a folder, the busiest thread first. */
export function readProfiles(dir: string): ThreadProfile[] {
  const files = fs.readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'))
  return files.map((name) => summarise(path.join(dir, name))).sort((a, b) => b.busyMs - a.busyMs)
}

function summarise(file: string): ThreadProfile {
  const profile = JSON.parse(fs.readFileSync(file, 'utf8')) as Profile
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const rooms = new Map<string, number>()
  const functions = new Map<string, number>()
  let busyMs = 0
  for (const [at, id] of profile.samples.entries()) {
    const ms = (profile.timeDeltas[at] ?? 0) / 1000
    const frame = nodes.get(id)?.callFrame
    if (frame === undefined) continue
    const name = frame.functionName || '(anonymous)'
    const { url, line } = sourceOf(frame)
    const room = roomOf(url, name)
    if (!NOT_WORK.has(name)) busyMs += ms
    const where = url === '' ? room : `${shortUrl(url)}:${line}`
    add(rooms, room, ms)
    add(functions, `${name} (${where})`, ms)
  }
  const wallMs = (profile.endTime - profile.startTime) / 1000
  return { file: path.basename(file), wallMs, busyMs, rooms: top(rooms), functions: top(functions) }
}

const maps = new Map<string, SourceMap | null>()

/** The program is one file: where the line was written is in the map beside it. */
function sourceOf(frame: Frame): { url: string; line: number } {
  const { url, lineNumber, columnNumber } = frame
  const built = { url, line: lineNumber + 1 }
  const map = url.startsWith('file:') ? mapOf(fileURLToPath(url)) : null
  const entry = map?.findEntry(lineNumber, columnNumber)
  if (entry === undefined || !('originalSource' in entry)) return built
  return { url: entry.originalSource, line: entry.originalLine + 1 }
}

function mapOf(file: string): SourceMap | null {
  const known = maps.get(file)
  if (known !== undefined) return known
  const place = `${file}.map`
  const made = fs.existsSync(place) ? new SourceMap(JSON.parse(fs.readFileSync(place, 'utf8'))) : null
  maps.set(file, made)
  return made
}

function roomOf(url: string, name: string): string {
  if (NOT_WORK.has(name) || name === '(garbage collector)') return name
  const inProject = /(?:^|\/)src\/((?:mount|host|bridge)\/[^/]+|[^/]+)\//.exec(url)
  if (inProject) return inProject[1] as string
  const inModule = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  if (inModule) return inModule[1] as string
  return url.startsWith('node:') ? 'node' : 'native'
}

function shortUrl(url: string): string {
  return url.replace(/^file:\/\//, '').replace(/^.*?(?:src|node_modules|dist)\//, '')
}

function add(sums: Map<string, number>, key: string, ms: number): void {
  sums.set(key, (sums.get(key) ?? 0) + ms)
}

function top(sums: Map<string, number>): [string, number][] {
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, TOP)
}

export function describeProfiles(title: string, profiles: readonly ThreadProfile[]): string {
  const lines = [title]
  for (const { file, wallMs, busyMs, rooms, functions } of profiles) {
    if (busyMs < 50) continue
    lines.push(`  ${file}: busy ${busyMs.toFixed(0)} of ${wallMs.toFixed(0)} ms`)
    const shown = rooms.filter(([, ms]) => ms > busyMs / 200)
    lines.push(`    rooms: ${shown.map(([room, ms]) => `${room} ${ms.toFixed(0)}`).join(', ')}`)
    for (const [name, ms] of functions.slice(0, TOP)) lines.push(`    ${ms.toFixed(0).padStart(7)} ms  ${name}`)
  }
  return lines.join('\n')
}

/** CPU ms of each thread between two looks, the busiest first. */
export function threadCosts(pid: number, before: ReturnType<typeof threadsOf>): [name: string, ms: number][] {
  return [...threadsOf(pid)]
    .map(([id, { name, cpuMs }]): [string, number] => [`${name} ${id}`, cpuMs - (before.get(id)?.cpuMs ?? 0)])
    .filter(([, ms]) => ms > 0)
    .sort((a, b) => b[1] - a[1])
}
