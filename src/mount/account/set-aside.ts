/**
 * A damaged ledger that is set aside, never deleted: a folder of its own under `damaged/`, with `about.json`, which says why and how
 * far the healing is. The folder is the memory of it: a process that dies in between is followed by one that goes on.
 *
 * `ledger.suspect` beside the ledger: damage was met in use; the next start looks thoroughly.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { explained, makeFolder, readSmall, syncFolder, writeWhole } from '../../base/folders.js'
import { decodeJson } from '../../wire/check.js'
import { type Static, Type } from '../../wire/schema.js'

/** What became of what only this ledger had, for people: lines, and the files that lack bytes (latin1 of their bytes). */
const HealReport = Type.Object(
  {
    lines: Type.Array(Type.String({ maxLength: 4_096 }), { maxItems: 16 }),
    files: Type.Array(
      Type.Object(
        {
          path: Type.String(),
          bytes: Type.Integer({ minimum: 0 }),
          now: Type.Union([Type.Literal('stored'), Type.Literal('damaged')]),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type HealReport = Static<typeof HealReport>

const About = Type.Object(
  {
    version: Type.Literal(1),
    reason: Type.String({ maxLength: 1_024 }),
    timeMs: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    /** moving: files are on their way here; moved: the drive is being built again; healed: it is, and what could be was carried over. */
    stage: Type.Union([Type.Literal('moving'), Type.Literal('moved'), Type.Literal('healed')]),
    outcome: Type.Optional(HealReport),
  },
  { additionalProperties: false },
)
type About = Static<typeof About>

export interface SetAside {
  readonly folder: string
  readonly name: string
  readonly reason: string
  readonly timeMs: number
}

export interface Suspicion {
  readonly reason: string
  /** A person wants it built again, whatever is found. */
  readonly isWish: boolean
}

const DAMAGED = 'damaged'
const ABOUT = 'about.json'
const SUSPECT = 'ledger.suspect'
export const LEDGER_FILE = 'ledger.db'
/** And how often it was synced, which is told of no other ledger. */
const LEDGER_FILES = ['-wal', '-shm', '-journal', '', '-synced'].map((suffix) => LEDGER_FILE + suffix)
/** An outcome names a thousand files at most. */
const ABOUT_BYTES_MAX = 16 * 1_048_576
const SUSPECT_BYTES_MAX = 65_536

const Suspect = Type.Object(
  { version: Type.Literal(1), reason: Type.String({ maxLength: 1_024 }), isWish: Type.Boolean() },
  { additionalProperties: false },
)

export function suspectLedger(stateDir: string, { reason, isWish }: Suspicion): void {
  const text = JSON.stringify({ version: 1, reason: reason.slice(0, 1_024), isWish })
  explained(stateDir, () => writeWhole(path.join(stateDir, SUSPECT), `${text}\n`))
}

/** null: nobody suspects anything. A mark that cannot be read is a suspicion. */
export function suspicionOf(stateDir: string): Suspicion | null {
  const file = path.join(stateDir, SUSPECT)
  if (!existsSync(file)) return null
  try {
    const { reason, isWish } = decodeJson(Suspect, readSmall(file, SUSPECT_BYTES_MAX), SUSPECT)
    return { reason, isWish }
  } catch {
    return { reason: 'damage was met', isWish: false }
  }
}

export function clearSuspicion(stateDir: string): void {
  rmSync(path.join(stateDir, SUSPECT), { force: true })
}

/** A ledger that was here is not, or is cut to nothing: its log, its count or the cache is there. Without any it was never begun. */
export function isLedgerGone(stateDir: string): boolean {
  if ((statSync(path.join(stateDir, LEDGER_FILE), { throwIfNoEntry: false })?.size ?? 0) > 0) return false
  return [`${LEDGER_FILE}-wal`, `${LEDGER_FILE}-synced`, 'cache.db'].some((name) =>
    existsSync(path.join(stateDir, name)),
  )
}

/** Begins it: from now on every start goes on with it until it is healed. */
export function setLedgerAside(stateDir: string, reason: string, timeMs: number): SetAside {
  const stamp = new Date(timeMs).toISOString().slice(0, 19).replaceAll(':', '')
  let name = stamp
  for (let number = 2; existsSync(path.join(stateDir, DAMAGED, name)); number++) name = `${stamp}-${number}`
  const folder = path.join(stateDir, DAMAGED, name)
  const about: About = {
    version: 1,
    reason: reason.slice(0, 1_024),
    timeMs: Math.max(0, Math.floor(timeMs)),
    stage: 'moving',
  }
  explained(stateDir, () => {
    makeFolder(folder)
    writeAbout(folder, about)
    moveFiles(stateDir, folder, about)
  })
  clearSuspicion(stateDir)
  return { folder, name, reason: about.reason, timeMs: about.timeMs }
}

/** One that was begun and is not healed; its files are all there. */
export function unhealed(stateDir: string): SetAside | null {
  for (const name of foldersOf(stateDir)) {
    const folder = path.join(stateDir, DAMAGED, name)
    const about = readAbout(folder)
    if (about === null || about.stage === 'healed') continue
    if (about.stage === 'moving') explained(stateDir, () => moveFiles(stateDir, folder, about))
    return { folder, name, reason: about.reason, timeMs: about.timeMs }
  }
  return null
}

/** What a healing that is not done has built: nobody has written to it yet, and all of it comes from the network and from what was set aside. */
export function dropHalfBuilt(stateDir: string): void {
  for (const name of LEDGER_FILES) rmSync(path.join(stateDir, name), { force: true })
}

export function markHealed({ folder }: SetAside, outcome: HealReport): void {
  const about = readAbout(folder)
  if (about !== null) explained(folder, () => writeAbout(folder, { ...about, stage: 'healed', outcome }))
}

/** All that lie here, the newest last; `outcome` as it was marked. */
export function setAsides(
  stateDir: string,
): (SetAside & { readonly isHealed: boolean; readonly outcome: HealReport | null })[] {
  return foldersOf(stateDir).flatMap((name) => {
    const folder = path.join(stateDir, DAMAGED, name)
    const about = readAbout(folder)
    if (about === null) return []
    const { reason, timeMs, stage, outcome = null } = about
    return [{ folder, name, reason, timeMs, isHealed: stage === 'healed', outcome }]
  })
}

/** The log first: a database without its log is older, a log without its database is nothing. */
function moveFiles(stateDir: string, folder: string, about: About): void {
  for (const name of LEDGER_FILES) {
    const from = path.join(stateDir, name)
    const to = path.join(folder, name)
    if (existsSync(from) && !existsSync(to)) renameSync(from, to)
  }
  syncFolder(folder)
  syncFolder(stateDir)
  writeAbout(folder, { ...about, stage: 'moved' })
}

function writeAbout(folder: string, about: About): void {
  writeWhole(path.join(folder, ABOUT), `${JSON.stringify(about, null, 2)}\n`)
}

/** null: not one of ours, or nobody can say any more what it was. */
function readAbout(folder: string): About | null {
  try {
    return decodeJson(About, readSmall(path.join(folder, ABOUT), ABOUT_BYTES_MAX), ABOUT)
  } catch {
    return null
  }
}

function foldersOf(stateDir: string): string[] {
  const place = path.join(stateDir, DAMAGED)
  return existsSync(place) ? readdirSync(place).sort() : []
}
