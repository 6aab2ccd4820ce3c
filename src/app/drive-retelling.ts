/** What tells a bridge that lost its books, composed: when it is woken, what it knows, which calls wait for it. */
import type { DriveChain } from '../mount/sync/drive-chain.js'
import { Retelling } from '../mount/sync/retelling.js'
import { sealDriveLabel } from '../permits/drive-label.js'
import type { SyncParts } from './drive-sync.js'

/** A bridge that comes back, or does not know this device any more, may have lost its books. */
export function composeRetelling(
  { identity, network, storage, random, clock, log }: SyncParts,
  chain: DriveChain,
): Retelling {
  const { drive, name } = identity.facts
  const retelling = new Retelling({
    bridge: network.retelling(() => sealDriveLabel(identity.labelKey, drive, name, random)),
    ledger: storage.ledger,
    state: () => chain.state,
    placement: (info) => storage.placements.recall(info),
    clock,
    log,
  })
  network.remember({
    get mends() {
      return retelling.mends
    },
    mend: (signal) => retelling.mend(signal),
    head: () => chain.state.head.sequence,
  })
  network.socket.onState((line) => {
    if (line.connected || line.trouble?.code === 'unknown-key') retelling.wake()
  })
  return retelling
}
