/** fsck of a drive that is not mounted, in this process, which holds its state directory meanwhile: `drive-busy`. */
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { openLog } from '../base/log.js'
import type { SecretBytes } from '../crypto/secret.js'
import { isLedgerGone, LEDGER_FILE, suspectLedger, unhealed } from '../mount/account/set-aside.js'
import { lockState } from './drive.js'
import { checkDrive, type FsckOptions, type FsckProgress, type FsckReport } from './drive-fsck.js'
import { openIdentity } from './drive-identity.js'
import { DriveNetwork } from './drive-network.js'
import { cacheLine, openStorage } from './drive-storage.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

export interface CheckOptions extends FsckOptions {
  stateDir: string
  passphrase: SecretBytes | null
  /** What the cache may keep; a check adds nothing but with `read`. */
  cacheBytes: number
}

/** `ledger-damaged` is thrown as `database-damaged` when the ledger does not even open: nothing was changed then. */
export async function checkUnmounted(
  options: CheckOptions,
  progress: FsckProgress,
  signal: AbortSignal,
  around: Surroundings = REAL_SURROUNDINGS,
): Promise<FsckReport> {
  const { stateDir, cacheBytes } = options
  const log = openLog('mount')
  const release = lockState(stateDir)
  const undo: (() => unknown)[] = [release]
  try {
    expectLedger(stateDir)
    const identity = await openIdentity(stateDir, options.passphrase ?? undefined)
    undo.push(() => identity.wipe())
    const network = new DriveNetwork(identity.facts, identity.device, { ...around, log, relayOnly: false })
    undo.push(() => network.stop())
    const events = {
      readOnly: (reason: string | null) => {
        if (!options.dryRun && reason?.includes('(database-damaged)'))
          suspectLedger(stateDir, { reason, isWish: false })
      },
    }
    const storage = await openStorage(identity, network, { stateDir, cacheBytes, events, clock: around.clock, log })
    undo.push(() => storage.close())
    const parts = { storage, network, drive: identity.facts.drive, stateDir }
    const report = await checkDrive(parts, options, progress, signal)
    const message = cacheLine(storage)
    if (message !== null) report.repaired.push({ code: 'cache-damaged', message })
    return report
  } catch (error) {
    if (!isCode(error, 'database-damaged')) throw error
    const { message } = error as AppError
    if (!options.dryRun) suspectLedger(stateDir, { reason: message, isWish: false })
    throw unopened(error as AppError)
  } finally {
    for (const step of undo.reverse()) {
      await Promise.resolve()
        .then(step)
        .catch((error: unknown) => log.warn({ err: error }, 'a part of the check did not end cleanly'))
    }
  }
}

function expectLedger(stateDir: string): void {
  const begun = unhealed(stateDir)
  if (begun !== null) throw damaged(`its healing was begun and is not done (${begun.folder})`)
  if (isLedgerGone(stateDir)) throw damaged(`${path.join(stateDir, LEDGER_FILE)} is gone`)
}

function unopened(error: AppError): AppError {
  return error.hint === HEAL ? error : damaged(error.message, error)
}

const HEAL = 'shardrive mount heals it from the network, with the keys of this device; the damaged files are kept'

function damaged(what: string, cause?: unknown): AppError {
  return new AppError('database-damaged', `the local ledger is damaged: ${what}`, { hint: HEAL, cause })
}
