/** What a doctor sees of damage on this machine without opening a database: marks beside the ledger. */
import { isLedgerGone, LEDGER_FILE, setAsides, suspicionOf } from '../mount/account/set-aside.js'

export interface DamageCheck {
  name: string
  ok: boolean
  detail: string
  hint?: string
}

const HEAL = 'shardrive mount heals it from the network (after shardrive unmount, if it is mounted)'

/** Of a drive that is here. */
export function checkLocalDatabase(stateDir: string): DamageCheck {
  const name = 'local database'
  const suspicion = suspicionOf(stateDir)
  const kept = setAsides(stateDir)
  const begun = kept.find((one) => !one.isHealed)
  if (begun !== undefined) return { name, ok: false, detail: `its healing is not done (${begun.folder})`, hint: HEAL }
  if (suspicion !== null) return { name, ok: false, detail: `damage was met: ${suspicion.reason}`, hint: HEAL }
  if (isLedgerGone(stateDir)) return { name, ok: false, detail: `${LEDGER_FILE} is gone`, hint: HEAL }
  const old =
    kept.length === 0 ? '' : `; ${kept.length} that were damaged are kept in ${stateDir}/damaged: shardrive fsck tells`
  return { name, ok: true, detail: `no damage is known; shardrive fsck looks${old}` }
}
