/** What a doctor sees of damage on this machine without opening a database: marks beside the ledger, and mounts that nobody serves. */
import fsp from 'node:fs/promises'
import { isLedgerGone, LEDGER_FILE, setAsides, suspicionOf } from '../mount/account/set-aside.js'
import { MOUNT_TYPE } from '../mount/fuse/mount-point.js'
import { parseMountInfo } from '../mount/fuse/mount-table.js'

export interface DamageCheck {
  name: string
  ok: boolean
  detail: string
  hint?: string
}

/** A mount that is served answers in milliseconds. */
const ANSWER_MS = 2_000
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

/** Drives in the mount table that answer nobody; none: nothing to say. */
export async function checkStaleMounts(): Promise<DamageCheck[]> {
  const text = await fsp.readFile('/proc/self/mountinfo', 'latin1').catch(() => '')
  const ours = parseMountInfo(text).filter((one) => one.type === MOUNT_TYPE)
  const dead: string[] = []
  for (const { mountPoint } of ours) if (await isDead(mountPoint)) dead.push(mountPoint)
  if (dead.length === 0) return []
  const hint = `shardrive unmount ${dead[0]} takes what is left away; shardrive mount brings the drive back`
  return [{ name: 'mounts', ok: false, detail: `nobody serves ${dead.join(', ')} any more`, hint }]
}

/** Those of other users answer us with "permission denied". */
async function isDead(mountPoint: string): Promise<boolean> {
  const late = new Promise<string>((resolve) => setTimeout(() => resolve('late'), ANSWER_MS).unref())
  const asked = fsp.statfs(mountPoint).then(
    () => 'alive',
    (error: NodeJS.ErrnoException) => error.code ?? '',
  )
  return ['ENOTCONN', 'late'].includes(await Promise.race([asked, late]))
}
