/** Hosts that leave in order: the queue moves what they hold; who holds nothing any more has left. */
import type { Clock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'

export class Exits {
  private readonly parts: { store: Store; hosts: HostRegistry; clock: Clock; log: Log; isFrozen: () => boolean }

  constructor(parts: Exits['parts']) {
    this.parts = parts
  }

  /** The number of hosts that left with this round. */
  async round(): Promise<number> {
    const { store, hosts, clock, log, isFrozen } = this.parts
    if (isFrozen()) return 0
    let left = 0
    for (const host of hosts.all()) {
      if (host.leavingAt === null || host.leftAt !== null || (await store.presences.holdsAny(host.row))) continue
      await hosts.setExit(host.row, { leavingAt: host.leavingAt, leftAt: clock.nowMs() })
      log.info({ host: host.host }, 'a host has left: nothing of it is needed any more')
      left++
    }
    return left
  }
}
