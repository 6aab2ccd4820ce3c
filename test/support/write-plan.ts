/**
 * What one writer does on a drive, step by step, made from a seed: small files written and fsynced, large ones renamed over stored
 * ones, appends, truncations, removals. A file's bytes tell its key and their own place, so a file is known by its key
 * and length; and a tree is known to be the state after some step, or not to have existed at all.
 */
import { Dice } from './dice.js'

export type Step =
  | { kind: 'mkdir'; name: string }
  | { kind: 'create'; name: string; key: number }
  | { kind: 'write'; name: string; key: number; offset: number; length: number }
  | { kind: 'truncate'; name: string; length: number }
  | { kind: 'fsync'; name: string }
  | { kind: 'rename'; name: string; to: string }
  | { kind: 'unlink'; name: string }

/** A file of the tree: whose bytes, how many. */
export interface Shape {
  key: number
  length: number
}

export type Shapes = Map<string, Shape>

export interface PlanOptions {
  seed: number
  folder: string
  files: number
  largeBytesMax: number
}

const FOLDERS = 6
const LARGE_NAMES = 4
/** One request of the kernel each. */
const WRITE_BYTES = 131_072

export function* writePlan({ seed, folder, files, largeBytesMax }: PlanOptions): Generator<Step> {
  const dice = new Dice(seed)
  const small: Shape[] = []
  const names: string[] = []
  yield { kind: 'mkdir', name: folder }
  for (let at = 0; at < FOLDERS; at++) yield { kind: 'mkdir', name: `${folder}/d${at}` }
  for (let key = 1; key <= files; key++) {
    const lot = dice.roll(1, 100)
    const at = dice.roll(0, Math.max(0, small.length - 1))
    const shape = small[at]
    if (lot <= 12) {
      yield* replaceLarge(`${folder}/large-${dice.roll(1, LARGE_NAMES)}`, key, dice, largeBytesMax)
    } else if (lot <= 18 && shape) {
      const length = dice.roll(8, 40_000)
      yield* writes(names[at] as string, shape, length)
      if (lot % 2 === 0) yield { kind: 'fsync', name: names[at] as string }
    } else if (lot <= 21 && shape && shape.length >= 8) {
      shape.length = dice.roll(0, 3) === 0 ? 0 : dice.roll(Math.min(8, shape.length), shape.length)
      yield { kind: 'truncate', name: names[at] as string, length: shape.length }
    } else if (lot <= 24 && shape) {
      yield { kind: 'unlink', name: names[at] as string }
      small.splice(at, 1)
      names.splice(at, 1)
    } else {
      const name = `${folder}/d${dice.roll(0, FOLDERS - 1)}/f${key}`
      const made = { key, length: 0 }
      yield { kind: 'create', name, key }
      yield* writes(name, made, dice.roll(0, 9) === 0 ? dice.roll(60_000, 300_000) : dice.roll(8, 9_000))
      yield { kind: 'fsync', name }
      small.push(made)
      names.push(name)
    }
  }
}

function* replaceLarge(name: string, key: number, dice: Dice, bytesMax: number): Generator<Step> {
  const made = { key, length: 0 }
  const fresh = `${name}.new-${key}`
  yield { kind: 'create', name: fresh, key }
  yield* writes(fresh, made, dice.roll(Math.ceil(bytesMax / 8), bytesMax))
  if (dice.roll(0, 1) === 0) yield { kind: 'fsync', name: fresh }
  yield { kind: 'rename', name: fresh, to: name }
}

function* writes(name: string, shape: Shape, length: number): Generator<Step> {
  for (let rest = length; rest > 0; ) {
    const part = Math.min(rest, WRITE_BYTES)
    yield { kind: 'write', name, key: shape.key, offset: shape.length, length: part }
    shape.length += part
    rest -= part
  }
}

/** Plays one step into a tree of shapes. */
export function play(shapes: Shapes, step: Step): void {
  const shape = shapes.get(step.name)
  switch (step.kind) {
    case 'create':
      shapes.set(step.name, { key: step.key, length: 0 })
      break
    case 'write':
      if (shape) shape.length = Math.max(shape.length, step.offset + step.length)
      break
    case 'truncate':
      if (shape) shape.length = step.length
      break
    case 'rename':
      if (shape) shapes.set(step.to, shape)
      shapes.delete(step.name)
      break
    case 'unlink':
      shapes.delete(step.name)
      break
    default:
  }
}

/** The steps done when the tree looked so: the first number from `atLeast` to `atMost` that fits, or why none does. */
export function stepsDone(
  options: PlanOptions,
  found: ReadonlyMap<string, Shape>,
  { atLeast, atMost }: { atLeast: number; atMost: number },
): number | string {
  const shapes: Shapes = new Map()
  let done = 0
  let closest = Number.POSITIVE_INFINITY
  let why = 'the plan is shorter than what is durable'
  for (const step of writePlan(options)) {
    if (done >= atLeast) {
      const misfits = compare(shapes, found, step)
      if (misfits.length === 0) return done
      if (misfits.length < closest) {
        closest = misfits.length
        why = `closest is after step ${done}: ${misfits.slice(0, 4).join(', ')}`
      }
    }
    if (done === atMost) return `no state from step ${atLeast} to ${atMost} looks so; ${why}`
    play(shapes, step)
    done++
  }
  const misfits = compare(shapes, found, null)
  return misfits.length === 0 ? done : `no state from step ${atLeast} to the end (${done}) looks so; ${why}`
}

/** A write that is under way may be there in part. */
function compare(shapes: Shapes, found: ReadonlyMap<string, Shape>, next: Step | null): string[] {
  const misfits: string[] = []
  for (const [name, shape] of shapes) {
    const other = found.get(name)
    const growing = next?.kind === 'write' && next.name === name ? next.offset + next.length : shape.length
    if (other === undefined) misfits.push(`${name} is missing`)
    else if (other.length !== 0 && other.key !== shape.key)
      misfits.push(`${name} has bytes of ${other.key}, not of ${shape.key}`)
    else if (other.length < shape.length || other.length > growing)
      misfits.push(`${name} has ${other.length} bytes, not ${shape.length}`)
  }
  for (const name of found.keys()) if (!shapes.has(name)) misfits.push(`${name} is too much`)
  return misfits
}
