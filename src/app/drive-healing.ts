/**
 * A drive whose local database is damaged, healed at its start: the files are set aside, the tree is built again from the chain on the
 * network with the keys of this device, and what only this device had is carried over as far as it can be read.
 *
 * Nothing is set aside before the bridge has answered: until then a ledger that still opens is mounted read-only. What is
 * said of it: healing-lines.ts.
 */
import path from 'node:path'
import type { Clock } from '../base/clock.js'
import { AppError, codeOf, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'
import { type DeviceId, deviceId } from '../model/ids.js'
import {
  clearSuspicion,
  dropHalfBuilt,
  isLedgerGone,
  LEDGER_FILE,
  markHealed,
  type SetAside,
  setLedgerAside,
  suspectLedger,
  suspicionOf,
  unhealed,
} from '../mount/account/set-aside.js'
import { CARRIED_KEY, decodeCarried } from '../mount/metadata/carried.js'
import type { LedgerClient } from '../mount/metadata/client.js'
import type { OldFacts } from '../mount/metadata/old-ledger.js'
import { claimedFrames, type Sweep, startSweep } from '../mount/metadata/sweep.js'
import type { SavedRecord } from '../mount/metadata/types.js'
import { carryFrom } from '../mount/sync/carry-plan.js'
import { loadChainState } from '../mount/sync/drive-chain.js'
import type { DriveIdentity } from './drive-identity.js'
import type { DriveNetwork } from './drive-network.js'
import type { DriveStorage } from './drive-storage.js'
import { countsOf, type HealOutcome, healingLines } from './healing-lines.js'

export interface HealingParts {
  identity: DriveIdentity
  network: DriveNetwork
  stateDir: string
  clock: Clock
  log: Log
  say(line: string): void
}

export interface SoundStorage {
  storage: DriveStorage
  /** Was set aside; the tree is to be built again. */
  aside: SetAside | null
  sweep: Sweep | null
}

/** A start waits so long for the structure of its ledger to be looked through; the rest is found beside its use. */
const SWEEP_PATIENCE_MS = 3_000
const BRIDGE_PATIENCE_MS = 15_000

export async function openSoundStorage(parts: HealingParts, open: () => Promise<DriveStorage>): Promise<SoundStorage> {
  const { stateDir, clock, log, say } = parts
  const begun = unhealed(stateDir)
  if (begun !== null) return { storage: await openHalfBuilt(parts, open), aside: begun, sweep: null }
  const { storage, sweep, damage } = await openAndLook(parts, open)
  if (damage === null && storage !== null) return { storage, aside: null, sweep }
  await sweep?.end()
  try {
    await expectBridge(parts, damage ?? '')
  } catch (error) {
    if (storage === null || !(await showsTree(storage))) {
      await storage?.close().catch((failed: unknown) => log.warn({ err: failed }, 'the damaged ledger did not close'))
      throw error
    }
    suspectLedger(stateDir, { reason: damage ?? '', isWish: false })
    await storage.ledger.care.noteDamage(damage ?? '')
    return { storage, aside: null, sweep: null }
  }
  // What is damaged may not close cleanly; its thread has ended all the same.
  await storage?.close().catch((error: unknown) => log.warn({ err: error }, 'the damaged ledger did not close cleanly'))
  const aside = setLedgerAside(stateDir, damage ?? '', clock.nowMs())
  log.error({ folder: aside.folder, reason: aside.reason }, 'the local database is damaged and was set aside')
  say(`the local database is damaged: ${aside.reason}`)
  say(`it is kept in ${aside.folder}; the drive is built again from the network with the keys of this device`)
  return { storage: await open(), aside, sweep: null }
}

/** Damaged too, it is built anew: else every start would end there. */
async function openHalfBuilt(
  { stateDir, log }: HealingParts,
  open: () => Promise<DriveStorage>,
): Promise<DriveStorage> {
  try {
    const storage = await open()
    if (!(await storage.ledger.care.isBehind())) return storage
    await storage.close()
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
  }
  log.error('what the healing of the local database had built is damaged too, and is built anew')
  dropHalfBuilt(stateDir)
  return open()
}

/** One whose log held all of it opens, and is empty. */
async function showsTree({ ledger }: DriveStorage): Promise<boolean> {
  const state = await loadChainState(ledger).catch(() => null)
  return state !== null
}

/** See mount/metadata/sync-count.ts. */
export const LEDGER_BEHIND =
  'its log (ledger.db-wal) was removed or cut, or an older file was put in its place: what was written here last is not in it'

interface Looked {
  /** null: it does not open. */
  storage: DriveStorage | null
  sweep: Sweep | null
  damage: string | null
}

async function openAndLook(parts: HealingParts, open: () => Promise<DriveStorage>): Promise<Looked> {
  const { stateDir, clock } = parts
  const suspicion = suspicionOf(stateDir)
  if (suspicion?.isWish) return { storage: null, sweep: null, damage: suspicion.reason }
  if (isLedgerGone(stateDir)) return { storage: null, sweep: null, damage: `${LEDGER_FILE} is gone` }
  const file = path.join(stateDir, LEDGER_FILE)
  const claimed = claimedFrames(file)
  let storage: DriveStorage
  try {
    storage = await open()
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    return { storage: null, sweep: null, damage: (error as AppError).message }
  }
  const isTorn = claimed > (await storage.ledger.care.logFrames())
  if (isTorn) tellTorn(parts)
  if (await storage.ledger.care.isBehind()) return { storage, sweep: null, damage: LEDGER_BEHIND }
  const sweep = startedSweep(file, parts.log)
  if (suspicion === null && !isTorn) {
    const damage = await Promise.race([sweep.found, clock.sleep(SWEEP_PATIENCE_MS).then(() => null)])
    return { storage, sweep, damage }
  }
  const damage = (await sweep.found) ?? (await lookThoroughly(storage.ledger))
  if (damage === null) clearSuspicion(stateDir)
  return { storage, sweep, damage }
}

/** What cannot be looked through is used all the same: damage is found when it is met. */
function startedSweep(file: string, log: Log): Sweep {
  const { found, end } = startSweep(file)
  const told = found.catch((error: unknown) => {
    log.error({ err: error }, 'the local database was not looked through')
    return null
  })
  return { found: told, end }
}

function tellTorn({ log, say }: HealingParts): void {
  const what =
    'the log of the local database breaks off before its end: this machine lost power, or its disk is failing'
  log.warn(what)
  say(`${what}. What was written here last, and is not stored, may be missing`)
}

/** Damage was met before: whatever fsck would find. */
async function lookThoroughly(ledger: LedgerClient): Promise<string | null> {
  try {
    const findings = await ledger.check()
    const [first] = findings.length > 0 ? await mended(ledger) : []
    if (first !== undefined) return first
    for (let after: number | null = 0; after !== null; ) {
      const look: Awaited<ReturnType<LedgerClient['care']['lookAtStaged']>> = await ledger.care.lookAtStaged(after)
      if (look.spoilt[0] !== undefined) return `staged row ${look.spoilt[0].stagedId} does not open`
      after = look.next
    }
    return null
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    return (error as AppError).message
  }
}

async function mended(ledger: LedgerClient): Promise<string[]> {
  await ledger.care.repair()
  return (await ledger.check()).map((one) => one.message)
}

/** `database-damaged` with what keeps the drive from being built again. */
async function expectBridge({ network }: HealingParts, damage: string): Promise<void> {
  try {
    await network.chain().head(AbortSignal.timeout(BRIDGE_PATIENCE_MS))
  } catch (error) {
    const why = error instanceof AppError ? `${error.message} [${error.code}]` : codeOf(error)
    throw new AppError('database-damaged', `the local ledger is damaged: ${damage}`, {
      cause: error,
      hint: `mount it again when the bridge answers (${why}): the drive is then built again from the network; nothing was changed`,
    })
  }
}

/** Behind the start: what a sweep that took longer finds makes the drive read-only, and the next start heals it. */
export function watchSweep(sweep: Sweep | null, ledger: LedgerClient, log: Log): void {
  void sweep?.found.then(async (damage) => {
    if (damage !== null) await ledger.care.noteDamage(damage).catch((error: unknown) => log.debug({ err: error }))
  })
}

/** The tree is built again: now what only the old ledger had. `no-space`: everything stays as it is, the next start goes on. */
export async function finishHealing(
  { identity, log, say }: HealingParts,
  { ledger }: DriveStorage,
  aside: SetAside,
): Promise<HealOutcome> {
  const file = path.join(aside.folder, LEDGER_FILE)
  const carried = decodeCarried(await ledger.getMeta(CARRIED_KEY), aside.name)
  const outcome: HealOutcome =
    carried === null
      ? await carry(ledger, file, deviceId(identity.device.id), aside.name)
      : { kind: 'carried', carried }
  const pins = await ledger.care.carryPins(file)
  await ledger.sync()
  const lines = healingLines(outcome, pins, aside)
  const files = outcome.kind === 'carried' ? [...outcome.carried.lostFiles] : []
  markHealed(aside, { lines, files })
  log.warn({ folder: aside.folder, ...countsOf(outcome), pins }, 'the drive was built again from the network')
  for (const line of lines) say(line)
  return outcome
}

async function carry(ledger: LedgerClient, file: string, device: DeviceId, mark: string): Promise<HealOutcome> {
  const facts = await ledger.care.lookAtOld(file)
  if (facts === null) return { kind: 'unreadable' }
  const plan = await carryFrom(facts, recordsOf(ledger), device)
  const head = await ledger.head()
  const isRolledBack = facts.headSequence !== null && head !== null && facts.headSequence > head.sequence
  const storedTo = facts.published?.logTo ?? 0
  if (!isRolledBack && facts.lastPosition !== null && facts.lastPosition <= storedTo) return { kind: 'nothing' }
  if ('conflict' in plan) return kept(facts, storedTo, plan.conflict, isRolledBack)
  const { from, cuts } = plan
  if (facts.lastPosition !== null && facts.lastPosition <= from) return { kind: 'nothing' }
  try {
    const carried = await ledger.care.carryOver(file, { from, cuts, mark, last: facts.lastPosition })
    return carried === null ? { kind: 'unreadable' } : { kind: 'carried', carried }
  } catch (error) {
    if (!isCode(error, 'chain-mismatch')) throw error
    return kept(facts, from, (error as AppError).message, isRolledBack)
  }
}

function kept(facts: OldFacts, from: number, why: string, isRolledBack: boolean): HealOutcome {
  const operations = facts.lastPosition === null ? null : Math.max(0, facts.lastPosition - from)
  return { kind: 'kept', why, operations, bytes: facts.stagedBytes, isRolledBack }
}

async function* recordsOf(ledger: LedgerClient): AsyncGenerator<SavedRecord> {
  let next = 0
  for (;;) {
    const records = await ledger.loadRecords(next)
    yield* records
    const last = records.at(-1)
    if (last === undefined) return
    next = last.sequence + 1
  }
}
