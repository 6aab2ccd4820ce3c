/**
 * fsck of a drive, mounted or not: the ledger (structure, then what its rows say of each other, then the seals of staged rows), the
 * cache, leftovers, and placement: what the bridge says of the segments that the ledger needs. What loses nothing is repaired;
 * what is left is found again, with the way out, and with the files that lack bytes.
 *
 * Findings carry numbers and may be logged. Paths are for the terminal of the person who asks.
 */
import { readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import type { DriveId } from '../model/ids.js'
import { type HealReport, LEDGER_FILE, setAsides, suspectLedger } from '../mount/account/set-aside.js'
import type { FilesAtRisk } from '../mount/metadata/care.js'
import { startSweep } from '../mount/metadata/sweep.js'
import type { Finding } from '../mount/metadata/types.js'
import { LEDGER_BEHIND } from './drive-healing.js'
import type { DriveNetwork } from './drive-network.js'
import type { DriveStorage } from './drive-storage.js'
import { lookAtPlacement, type PlacementLook } from './fsck-placement.js'

export interface FsckParts {
  storage: Pick<DriveStorage, 'ledger' | 'cache' | 'reader'>
  network: DriveNetwork
  drive: DriveId
  stateDir: string
}

export interface FsckOptions {
  /** Nothing is changed. */
  dryRun: boolean
  /** Every segment is fetched and verified. */
  read: boolean
}

export interface FsckReport {
  /** What is wrong and stays so; none: sound. */
  findings: Finding[]
  repaired: Finding[]
  ledger: { files: number; stagedRows: number; stagedBytes: number }
  cache: { units: number; bytes: number; spoilt: number }
  /** null: nobody could be asked; `unasked` says why. */
  placement: PlacementLook | null
  unasked: string | null
  /** Bytes that nobody has any more. */
  lost: FilesAtRisk
  /** Bytes of segments that the next lost host may take. */
  atRisk: FilesAtRisk
  /** Ledgers that were damaged before, and what became of them. */
  setAside: { folder: string; timeMs: number; isHealed: boolean; outcome: HealReport | null }[]
}

export type FsckProgress = (step: string, done: number, total: number) => void

/** Left by a process that was cut short. */
const LEFTOVER = /(^recovery\.spool|\.draft|\.readable(\.template)?(-wal|-shm|-journal)?|^\.writable)$/
const NO_FILES: FilesAtRisk = { files: [], count: 0, bytes: 0, segments: 0 }

export async function checkDrive(
  parts: FsckParts,
  options: FsckOptions,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<FsckReport> {
  const report: FsckReport = {
    findings: [],
    repaired: [],
    ledger: { files: 0, stagedRows: 0, stagedBytes: 0 },
    cache: { units: 0, bytes: 0, spoilt: 0 },
    placement: null,
    unasked: null,
    lost: NO_FILES,
    atRisk: NO_FILES,
    setAside: setAsides(parts.stateDir).map(({ folder, timeMs, isHealed, outcome }) => ({
      ...{ folder, timeMs, isHealed, outcome },
    })),
  }
  const isReadable = await checkLedger(parts, options, report, progress, signal)
  await checkCache(parts, options, report, progress, signal)
  checkLeftovers(parts, options, report)
  if (isReadable) await checkPlacement(parts, options, report, progress, signal)
  return report
}

/** False: it cannot say which segments it needs. */
async function checkLedger(
  parts: FsckParts,
  { dryRun }: FsckOptions,
  report: FsckReport,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<boolean> {
  const { storage, stateDir } = parts
  const { care } = storage.ledger
  progress('ledger', 0, 1)
  try {
    await storage.ledger.sync()
    const damage = await startSweep(path.join(stateDir, LEDGER_FILE)).found
    if (damage !== null) throw new AppError('database-damaged', damage)
    if (await care.isBehind()) throw new AppError('database-damaged', LEDGER_BEHIND)
    let left = await storage.ledger.check()
    if (left.length > 0 && !dryRun) {
      const repaired = await care.repair()
      report.repaired.push(...repaired.map(({ code, rows }) => ({ code, message: `${rows} rows of the ledger` })))
      left = await storage.ledger.check()
      const [first] = left
      if (first !== undefined) suspectLedger(stateDir, { reason: first.message, isWish: false })
    }
    report.findings.push(...left)
    await checkStaged(parts, dryRun, report, progress, signal)
    report.ledger.files = storage.ledger.progress().files
    return true
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    report.findings.push(finding('ledger-damaged', (error as AppError).message))
    if (!dryRun) await care.noteDamage((error as AppError).message)
    return false
  }
}

async function checkStaged(
  { storage }: FsckParts,
  dryRun: boolean,
  report: FsckReport,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<void> {
  const { care } = storage.ledger
  const { openBytes, pendingBytes } = storage.ledger.progress()
  const spoilt: number[] = []
  for (let after: number | null = 0; after !== null; ) {
    signal.throwIfAborted()
    const look: Awaited<ReturnType<typeof care.lookAtStaged>> = await care.lookAtStaged(after)
    report.ledger.stagedBytes += look.bytes
    for (const { stagedId, bytes } of look.spoilt) {
      spoilt.push(stagedId)
      report.findings.push(finding('staged-spoilt', `staged row ${stagedId} (${bytes} bytes) does not open`))
    }
    progress('staged', report.ledger.stagedBytes, Math.max(report.ledger.stagedBytes, openBytes + pendingBytes))
    after = look.next
  }
  if (spoilt.length === 0) return
  report.lost = await care.filesAtRisk({ segments: [], staged: spoilt })
  if (!dryRun) await care.noteDamage(`${spoilt.length} staged rows do not open`)
}

async function checkCache(
  { storage }: FsckParts,
  { dryRun }: FsckOptions,
  report: FsckReport,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<void> {
  const { usedBytes } = await storage.cache.stats()
  const { cache } = report
  for (let after: number | null = 0; after !== null; ) {
    signal.throwIfAborted()
    const look: Awaited<ReturnType<typeof storage.cache.look>> = await storage.cache.look(after, !dryRun)
    if (look.isAnew) report.repaired.push(finding('cache-damaged', 'the cache was damaged and is begun anew'))
    cache.units += look.units
    cache.bytes += look.bytes
    cache.spoilt += look.spoilt
    progress('cache', cache.bytes, Math.max(cache.bytes, usedBytes))
    after = look.next
  }
  if (cache.spoilt === 0) return
  const into = dryRun ? report.findings : report.repaired
  into.push(finding('cache-spoilt', `${cache.spoilt} units of the cache do not open: they are fetched again`))
}

function checkLeftovers({ stateDir }: FsckParts, { dryRun }: FsckOptions, report: FsckReport): void {
  for (const name of readdirSync(stateDir)) {
    if (!LEFTOVER.test(name)) continue
    if (!dryRun) rmSync(path.join(stateDir, name), { force: true, recursive: true })
    const into = dryRun ? report.findings : report.repaired
    into.push(finding('leftover', `${name} was left behind by a process that was cut short`))
  }
}

async function checkPlacement(
  parts: FsckParts,
  { read }: FsckOptions,
  report: FsckReport,
  progress: FsckProgress,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { look, lost, weak } = await lookAtPlacement(parts, read, progress, signal)
    report.placement = look
    const { care } = parts.storage.ledger
    if (lost.length > 0) {
      const files = await care.filesAtRisk({ segments: lost, staged: [] })
      report.lost = joined(report.lost, files)
      const message = `${files.segments} segments that files need cannot be had from the network now`
      if (files.segments > 0) report.findings.push(finding('segment-lost', message))
    }
    if (weak.length > 0) report.atRisk = await care.filesAtRisk({ segments: weak, staged: [] })
  } catch (error) {
    if (signal.aborted || !(error instanceof AppError)) throw error
    report.unasked = `${error.message} [${error.code}]`
  }
}

function finding(code: string, message: string): Finding {
  return { code, message }
}

function joined(a: FilesAtRisk, b: FilesAtRisk): FilesAtRisk {
  if (a.count === 0) return b
  return {
    files: [...a.files, ...b.files],
    count: a.count + b.count,
    bytes: a.bytes + b.bytes,
    segments: a.segments + b.segments,
  }
}
