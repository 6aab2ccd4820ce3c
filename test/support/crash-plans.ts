/**
 * Workloads of the crash tests, each made from a seed: what editors, mail stores, builds, copies and logs do. A step is one request of
 * the kernel (writes have at most 128 KiB), so a drive that is killed in it has done it or not.
 */
import type { Step } from './crash-model.js'
import { Dice } from './dice.js'

export interface PlanFacts {
  seed: number
  steps: number
}

const WRITE_BYTES = 131_072
const FOLDERS = 3

type Steps = Generator<Step>

/** Each begins in an empty folder '.'. */
const PLANS: Record<string, (dice: Dice) => Steps> = { small, editors, moves, large, appends, links, copies, flood }

export const STEP_PLANS = Object.keys(PLANS)

export function* planOf(workload: string, { seed, steps }: PlanFacts): Steps {
  let count = 0
  const make = PLANS[workload]
  if (make === undefined) throw new Error(`no workload ${workload}`)
  for (const step of make(new Dice(seed))) {
    if (count++ === steps) return
    yield step
  }
}

function* writes(name: string, key: number, from: number, length: number): Steps {
  for (let done = 0; done < length; done += WRITE_BYTES) {
    yield { kind: 'write', name, key, offset: from + done, length: Math.min(WRITE_BYTES, length - done) }
  }
}

function* folders(): Steps {
  for (let at = 0; at < FOLDERS; at++) yield { kind: 'mkdir', name: `d${at}` }
}

/** Small files, most of them fsynced, some removed. */
function* small(dice: Dice): Steps {
  yield* folders()
  const names: string[] = []
  for (let key = 1; ; key++) {
    const name = `d${dice.roll(0, FOLDERS - 1)}/f${key}`
    yield { kind: 'create', name }
    yield* writes(name, key, 0, dice.roll(0, 9) === 0 ? dice.roll(60_000, 300_000) : dice.roll(1, 9_000))
    if (dice.roll(1, 3) > 1) yield { kind: 'fsync', name }
    names.push(name)
    if (names.length > 4 && dice.roll(1, 3) === 1) {
      const [gone] = names.splice(dice.roll(0, names.length - 1), 1)
      yield { kind: 'unlink', name: gone as string }
    }
  }
}

/** Saves: a new file renamed over the old one, or the old one put aside first. Some keep the old file open. */
function* editors(dice: Dice): Steps {
  const texts = ['a.txt', 'b.txt', 'c.txt']
  const known = new Set<string>()
  for (let key = 1; ; key++) {
    const name = dice.pick(texts)
    const draft = `.${name}.${key}`
    const isNew = !known.has(name)
    if (dice.roll(1, 4) === 1 && !isNew) {
      yield { kind: 'rename', name, to: `${name}~` }
      yield { kind: 'create', name }
      yield* writes(name, key, 0, dice.roll(1, 20_000))
      yield { kind: 'fsync', name }
      yield { kind: 'unlink', name: `${name}~` }
      continue
    }
    yield { kind: 'create', name: draft }
    yield* writes(draft, key, 0, dice.roll(1, 200_000))
    if (dice.roll(1, 4) > 1) yield { kind: 'fsync', name: draft }
    if (!isNew && dice.roll(1, 3) === 1) yield { kind: 'hold', name }
    yield { kind: 'rename', name: draft, to: name }
    known.add(name)
  }
}

/** Folders with files moved into one another and removed. */
function* moves(dice: Dice): Steps {
  yield* folders()
  for (let key = 1; ; key++) {
    const fresh = `new${key}`
    yield { kind: 'mkdir', name: fresh }
    const files = dice.roll(1, 3)
    for (let at = 0; at < files; at++) {
      yield { kind: 'create', name: `${fresh}/f${at}` }
      yield* writes(`${fresh}/f${at}`, key, 0, dice.roll(1, 5_000))
    }
    const home = `d${dice.roll(0, FOLDERS - 1)}/k${key}`
    yield { kind: 'rename', name: fresh, to: home }
    if (dice.roll(0, 1) === 0) yield { kind: 'fsync', name: `${home}/f0` }
    if (dice.roll(0, 1) === 0) {
      const away = `d${dice.roll(0, FOLDERS - 1)}/m${key}`
      yield { kind: 'rename', name: home, to: away }
      for (let at = 0; at < files; at++) yield { kind: 'unlink', name: `${away}/f${at}` }
      yield { kind: 'rmdir', name: away }
      if (dice.roll(0, 2) === 0) yield { kind: 'fsync', name: '.' }
    }
  }
}

/** Large files, written through and fsynced, overwritten in places. */
function* large(dice: Dice): Steps {
  for (let key = 1; ; key++) {
    const name = `large${key % 2}`
    if (key > 2) yield { kind: 'unlink', name }
    yield { kind: 'create', name }
    const size = dice.roll(1_000_000, 6_000_000)
    yield* writes(name, key, 0, size)
    if (dice.roll(0, 2) > 0) yield { kind: 'fsync', name }
    for (let more = dice.roll(0, 5); more > 0; more--) {
      yield* writes(name, 1_000 + key, dice.roll(0, size - 1), dice.roll(1, 100_000))
    }
    yield { kind: 'fsync', name }
  }
}

/** Logs: short appends, an fsync now and then, rotated. */
function* appends(dice: Dice): Steps {
  const sizes = [0, 0]
  for (const at of sizes.keys()) yield { kind: 'create', name: `log${at}` }
  for (let key = 1; ; key++) {
    const at = dice.roll(0, 1)
    const name = `log${at}`
    const length = dice.roll(0, 9) === 0 ? dice.roll(50_000, 131_072) : dice.roll(1, 3_000)
    yield { kind: 'append', name, key, offset: sizes[at] as number, length }
    sizes[at] = (sizes[at] as number) + length
    if (dice.roll(1, 4) === 1) yield { kind: 'fsync', name }
    if (dice.roll(1, 12) > 1) continue
    yield { kind: 'rename', name, to: `${name}.1` }
    yield { kind: 'create', name }
    sizes[at] = 0
  }
}

/** Hard and soft links, attributes, truncations and holes. */
function* links(dice: Dice): Steps {
  yield { kind: 'mkdir', name: 'd0' }
  for (let key = 1; ; key++) {
    const name = `f${key}`
    yield { kind: 'create', name }
    const size = dice.roll(1, 60_000)
    yield* writes(name, key, 0, size)
    yield { kind: 'link', name, to: `d0/l${key}` }
    if (dice.roll(0, 3) === 0) {
      yield { kind: 'xattr', name, attribute: 'user.colour', value: `v${dice.roll(1, 999)}` }
      yield { kind: 'fsync', name: `d0/l${key}` }
      if (dice.roll(0, 1) === 0) yield { kind: 'xattr', name, attribute: 'user.colour', value: null }
    }
    yield { kind: 'truncate', name, length: dice.roll(0, 2 * size) }
    if (dice.roll(0, 1) === 0) yield* writes(`d0/l${key}`, key + 500, dice.roll(0, 3 * size), dice.roll(1, 9_000))
    yield { kind: 'symlink', name: `s${key}`, target: `d0/l${key}` }
    if (dice.roll(0, 1) === 0) yield { kind: 'chmod', name: `d0/l${key}`, mode: dice.pick([0o600, 0o755, 0o444]) }
    if (dice.roll(0, 2) === 0) yield { kind: 'fsync', name: '.' }
    if (dice.roll(0, 1) === 0) yield { kind: 'unlink', name }
    if (dice.roll(0, 3) === 0) yield { kind: 'unlink', name: `s${key}` }
  }
}

/** Parts of files that are shared with others, which then go their own way; files are written before that or are on this disk already. */
function* copies(dice: Dice): Steps {
  const sizes: number[] = []
  for (let key = 1; ; key++) {
    const name = `f${key}`
    yield { kind: 'create', name }
    const size = dice.roll(1, 120_000)
    yield* writes(name, key, 0, size)
    sizes.push(size)
    if (dice.roll(0, 2) === 0) yield { kind: 'fsync', name }
    const from = dice.roll(1, key)
    const offset = dice.roll(0, (sizes[from - 1] as number) - 1)
    const length = dice.roll(1, (sizes[from - 1] as number) - offset)
    yield { kind: 'create', name: `c${key}` }
    yield { kind: 'copy', name: `f${from}`, into: `c${key}`, offset, intoOffset: dice.roll(0, 20_000), length }
    if (dice.roll(0, 1) === 0) yield* writes(`c${key}`, key + 500, dice.roll(0, 10_000), dice.roll(1, 9_000))
    if (dice.roll(0, 1) === 0) yield { kind: 'fsync', name: `c${key}` }
    if (dice.roll(0, 1) === 0) continue
    sizes[key - 1] = dice.roll(1, size)
    yield { kind: 'truncate', name, length: sizes[key - 1] as number }
  }
}

const FLOOD_FILES = 34
const FLOOD_FILE_BYTES = 2_097_152

/** More than the ledger keeps of free pages, all of it removed again: what is over is given back while nobody asks for anything. */
function* flood(dice: Dice): Steps {
  const names = Array.from({ length: FLOOD_FILES }, (_, at) => `big${at}`)
  for (const [at, name] of names.entries()) {
    yield { kind: 'create', name }
    yield* writes(name, at + 1, 0, FLOOD_FILE_BYTES)
    yield { kind: 'fsync', name }
  }
  for (const name of names) yield { kind: 'unlink', name }
  for (let key = 100; ; key++) {
    const name = `f${key}`
    yield { kind: 'create', name }
    yield* writes(name, key, 0, dice.roll(1, 9_000))
    yield { kind: 'fsync', name }
    yield { kind: 'rest', name }
  }
}
