/**
 * Which host is compared with the books when: each about once a day, a host that was away when it is back. Not before it has
 * reported to this run of the bridge: a report shows whether the books were put back.
 */
import type { Clock } from '../../base/clock.js'
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { Store } from '../persist/store.js'
import type { GarbageCollector } from './garbage-collector.js'
import type { HostRegistry, KnownHost } from './registry.js'

/** A host's own share of it lies between 3/4 and all, by its id, so that rounds spread over the day. */
const EVERY_MS = 24 * 3_600_000
const JITTER = 0.25
/** Each reads a host's index through. */
const AT_ONCE = 2

export class GarbageRounds {
  private readonly parts: { store: Store; hosts: HostRegistry; collector: GarbageCollector; clock: Clock; log: Log }

  constructor(parts: GarbageRounds['parts']) {
    this.parts = parts
  }

  /** All online hosts whose time has come. */
  async round(signal: AbortSignal): Promise<void> {
    const due: KnownHost[] = []
    for (const host of this.parts.hosts.all())
      if (host.online && host.hasReported && (await this.isDue(host))) due.push(host)
    const line = async () => {
      for (let host = due.shift(); host !== undefined && !signal.aborted; host = due.shift())
        await this.one(host, signal)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, line))
  }

  private async isDue(host: KnownHost): Promise<boolean> {
    const last = (await this.parts.store.presences.load(host.row))?.collectedAt ?? null
    const share = Number.parseInt(host.host.slice(0, 8), 16) / 2 ** 32
    return last === null || this.parts.clock.nowMs() - last >= EVERY_MS * (1 - JITTER * share)
  }

  private async one(host: KnownHost, signal: AbortSignal): Promise<void> {
    try {
      await this.parts.collector.round(host.host, signal)
    } catch (error) {
      if (signal.aborted) return
      this.parts.log.warn(
        { host: host.host, code: codeOf(error), err: error },
        'a host could not be compared with the books',
      )
    }
  }
}
