/**
 * What programs do on a drive that is going to be killed, as steps of one system call each, and the tree that they make: played in
 * memory step by step, so that of any tree it can be said after which step it looked so. A file's bytes tell their key and place.
 */
import { createHash } from 'node:crypto'
import { rampRange } from './ramp.js'

type NameKind = 'mkdir' | 'rmdir' | 'create' | 'unlink' | 'hold' | 'fsync' | 'rest'

export type Step =
  | { [K in NameKind]: { kind: K; name: string } }[NameKind]
  | { kind: 'write' | 'append'; name: string; key: number; offset: number; length: number }
  | { kind: 'truncate'; name: string; length: number }
  | { kind: 'copy'; name: string; into: string; offset: number; intoOffset: number; length: number }
  | { kind: 'rename'; name: string; to: string }
  | { kind: 'link'; name: string; to: string }
  | { kind: 'symlink'; name: string; target: string }
  | { kind: 'xattr'; name: string; attribute: string; value: string | null }
  | { kind: 'chmod'; name: string; mode: number }

/** A path with what is to be seen of it. */
export type Shown = ReadonlyMap<string, string>

export const FILE_MODE = 0o644
export const FOLDER_MODE = 0o755

interface Node {
  kind: 'file' | 'folder' | 'link'
  mode: number
  /** The bytes are the beginning of it; behind them it is zero. */
  room: Buffer
  bytes: Buffer
  target: string
  xattrs: Map<string, string>
  /** Of the bytes; '' when they changed. */
  hash: string
}

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex').slice(0, 16)
}

export function showFile(facts: {
  mode: number
  size: number
  hash: string
  links: number
  /** The first of its names. */
  first: string
  xattrs: string
}): string {
  const { mode, size, hash, links, first, xattrs } = facts
  return `file ${mode.toString(8)} ${size} ${hash}${links > 1 ? ` ${links} names, ${first}` : ''}${xattrs}`
}

export function showXattrs(all: Iterable<[string, string]>): string {
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([name, value]) => ` ${name}=${value}`).join('')
}

export class Tree {
  private readonly nodes = new Map<string, Node>()

  play(step: Step): void {
    const node = this.nodes.get(step.name)
    switch (step.kind) {
      case 'mkdir':
        this.nodes.set(step.name, fresh('folder', FOLDER_MODE))
        return
      case 'create':
        this.nodes.set(step.name, fresh('file', FILE_MODE))
        return
      case 'symlink':
        this.nodes.set(step.name, { ...fresh('link', 0o777), target: step.target })
        return
      case 'rmdir':
      case 'unlink':
        this.nodes.delete(step.name)
        return
      case 'rename':
        this.rename(step.name, step.to)
        return
      case 'fsync':
      case 'hold':
      case 'rest':
        return
      case 'copy':
        this.copy(step)
        return
    }
    if (node === undefined) throw new Error(`the plan speaks of ${step.name}, which is not there`)
    if ('to' in step) this.nodes.set(step.to, node)
    else if (step.kind === 'chmod') node.mode = step.mode
    else if (step.kind === 'truncate') resize(node, step.length)
    else if (step.kind === 'xattr') {
      if (step.value === null) node.xattrs.delete(step.attribute)
      else node.xattrs.set(step.attribute, step.value)
    } else {
      const end = step.offset + step.length
      if (end > node.bytes.length) resize(node, end)
      rampRange(step.key, step.offset, step.length).copy(node.bytes, step.offset)
      node.hash = ''
    }
  }

  sizeOf(name: string): number {
    return this.nodes.get(name)?.bytes.length ?? 0
  }

  shown(): Map<string, string> {
    const names = new Map<Node, string[]>()
    for (const [name, node] of this.nodes) names.set(node, [...(names.get(node) ?? []), name])
    const all = new Map<string, string>()
    for (const [name, node] of this.nodes) all.set(name, show(node, (names.get(node) as string[]).sort()))
    return all
  }

  private copy({ name, into, offset, intoOffset, length }: Extract<Step, { kind: 'copy' }>): void {
    const [source, target] = [this.nodes.get(name), this.nodes.get(into)]
    if (source === undefined || target === undefined) throw new Error(`the plan copies ${name} into ${into}`)
    const bytes = Buffer.from(source.bytes.subarray(offset, offset + length))
    if (intoOffset + bytes.length > target.bytes.length) resize(target, intoOffset + bytes.length)
    bytes.copy(target.bytes, intoOffset)
    target.hash = ''
  }

  private rename(from: string, to: string): void {
    const moved = [...this.nodes].filter(([name]) => name === from || name.startsWith(`${from}/`))
    for (const [name] of moved) this.nodes.delete(name)
    for (const [name, node] of moved) this.nodes.set(to + name.slice(from.length), node)
  }
}

function fresh(kind: Node['kind'], mode: number): Node {
  return { kind, mode, room: Buffer.alloc(0), bytes: Buffer.alloc(0), target: '', xattrs: new Map(), hash: '' }
}

function resize(node: Node, length: number): void {
  if (length > node.room.length) {
    const room = Buffer.alloc(2 * length)
    node.room.copy(room)
    node.room = room
  }
  // What is cut off reads as zeros when the file grows again.
  if (length < node.bytes.length) node.room.fill(0, length, node.bytes.length)
  node.bytes = node.room.subarray(0, length)
  node.hash = ''
}

function show(node: Node, names: string[]): string {
  if (node.kind === 'link') return `link ${node.target}`
  if (node.kind === 'folder') return `folder ${node.mode.toString(8)}`
  if (node.hash === '') node.hash = hashOf(node.bytes)
  const { mode, bytes, hash } = node
  const xattrs = showXattrs(node.xattrs)
  return showFile({ mode, size: bytes.length, hash, links: names.length, first: names[0] as string, xattrs })
}

/** Readable differences of what was wanted and what is there. */
export function misfits(wanted: Shown, found: Shown): string[] {
  const all: string[] = []
  for (const [name, one] of wanted) {
    const other = found.get(name)
    if (other !== one) all.push(`${name}: ${other ?? 'missing'} instead of ${one}`)
  }
  for (const [name, one] of found) if (!wanted.has(name)) all.push(`${name}: ${one}, which should not be there`)
  return all
}

type WriteStep = Extract<Step, { key: number }>

const PAGE_BYTES = 4_096
/** Of one file, in these plans. */
const NAMES_MAX = 2

/** A write of a program may be several requests, which the kernel divides at ends of pages. */
function* requestsOf(step: WriteStep): Generator<WriteStep> {
  const end = step.offset + step.length
  for (let at = step.offset; at < end; ) {
    const next = Math.min(end, at - (at % PAGE_BYTES) + PAGE_BYTES)
    yield { ...step, offset: at, length: next - at }
    at = next
  }
}

/** The states of one plan: after each step, how the tree looked. */
export class PlanStates {
  private readonly steps: readonly Step[]
  private readonly known = new Map<number, Shown>()
  private tree = new Tree()
  private played = 0

  constructor(plan: Iterable<Step>) {
    this.steps = [...plan]
  }

  /**
   * The numbers of steps, from `atLeast` to `atMost`, after which the tree looked as found; when there is none, what is wrong. A write
   * that is the next step may be there in part, up to the end of a page.
   */
  stepsOf(found: Shown, range: { atLeast: number; atMost: number }): { fits: number[]; why: string } {
    const { atLeast, atMost } = range
    const fits: number[] = []
    let closest = Number.POSITIVE_INFINITY
    let why = `the plan has ${this.steps.length} steps`
    for (let done = atLeast; done <= Math.min(atMost, this.steps.length); done++) {
      const wrong = misfits(this.after(done), found)
      if (wrong.length === 0 || (done < atMost && this.fitsInPart(done, found, wrong))) fits.push(done)
      if (wrong.length >= closest) continue
      closest = wrong.length
      why = `closest is after step ${done} (of ${atLeast} to ${atMost}): ${wrong.slice(0, 5).join('; ')}`
    }
    return { fits, why }
  }

  private after(count: number): Shown {
    const known = this.known.get(count)
    if (known !== undefined) return known
    if (count < this.played) {
      this.tree = new Tree()
      this.played = 0
    }
    while (this.played < count) this.tree.play(this.steps[this.played++] as Step)
    const shown = this.tree.shown()
    this.known.set(count, shown)
    return shown
  }

  private fitsInPart(done: number, found: Shown, wrong: readonly string[]): boolean {
    const step = this.steps[done]
    if (step === undefined || !('key' in step) || wrong.length > NAMES_MAX) return false
    if (!wrong.some((one) => one.startsWith(`${step.name}: file`))) return false
    const size = Number(found.get(step.name)?.split(' ')[2])
    const before = Number(this.after(done).get(step.name)?.split(' ')[2])
    const end = step.offset + step.length
    if (end > before ? size <= before || size > end : size !== before) return false
    const tree = new Tree()
    for (const one of this.steps.slice(0, done)) tree.play(one)
    for (const part of requestsOf(step)) {
      // Then it is all there.
      if (part.offset + part.length === end) return false
      tree.play(part)
      if (tree.sizeOf(step.name) === size && misfits(tree.shown(), found).length === 0) return true
    }
    return false
  }
}
