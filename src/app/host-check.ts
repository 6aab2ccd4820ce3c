/** A host's folder, checked while no host runs in it: `host-already-running`. */
import { openLog } from '../base/log.js'
import { checkHost, type HostCheck } from '../host/check/check-host.js'
import { openHostFolder } from '../host/folder.js'
import { Kept } from '../host/ledger/kept.js'
import { REAL_SURROUNDINGS, type Surroundings } from './surroundings.js'

export async function checkHostFolder(dir: string, { clock }: Surroundings = REAL_SURROUNDINGS): Promise<HostCheck> {
  const folder = openHostFolder(dir)
  try {
    const { volumesDir, indexFile, keptFile, host, seed } = folder
    const kept = Kept.open(keptFile)
    try {
      const nowMs = () => Math.floor(clock.nowMs())
      return await checkHost({ volumesDir, indexFile, host, seed, kept, log: openLog('host'), ownMs: nowMs, nowMs })
    } finally {
      kept.close()
    }
  } finally {
    folder.release()
  }
}
