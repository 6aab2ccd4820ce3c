/**
 * The standing of every host, in memory beside the database, as a host sees its own. The room: score.ts (pure), online.ts
 * (pure), ladder.ts (pure), this. Audits tell it verdicts; it decides nothing about shards.
 */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import type { HostId, PeerId } from '../../model/ids.js'
import type * as hostApi from '../../wire/host-api.js'
import type { HostRegistry, KnownHost } from '../hosts/registry.js'
import { newStanding, type Standing } from '../persist/standing-rows.js'
import type { Store } from '../persist/store.js'
import { onlineOf, TRACKED_WINDOWS, windowOf } from './online.js'

export interface StandingsParts {
  store: Store
  hosts: HostRegistry
  clock: Clock
}

export class Standings {
  private readonly parts: StandingsParts
  private readonly byRow: Map<number, Standing>

  private constructor(parts: StandingsParts, byRow: Map<number, Standing>) {
    this.parts = parts
    this.byRow = byRow
  }

  static async load(parts: StandingsParts): Promise<Standings> {
    return new Standings(parts, await parts.store.standings.loadAll())
  }

  of(hostRow: number): Standing {
    return this.byRow.get(hostRow) ?? newStanding(this.parts.clock.nowMs())
  }

  /** `not-yours`, `unknown-host`. */
  async view(key: PeerId, host: HostId): Promise<hostApi.HostStanding> {
    return this.describe(this.own(key, host))
  }

  private async describe(known: KnownHost): Promise<hostApi.HostStanding> {
    const { store, clock } = this.parts
    const { score, success, fail, lost, offline, timeout, unknown } = this.of(known.row)
    const now = clock.nowMs()
    const holding = await store.standings.holding(known.row)
    const windows = await store.standings.windowsOf(known.row, windowOf(now) - TRACKED_WINDOWS)
    const { leavingAt, leftAt } = known
    const phase = leftAt !== null ? 'left' : leavingAt !== null ? 'leaving' : 'none'
    return {
      state: known.state,
      vettedAt: known.vettedAt,
      score,
      onlineShare: onlineOf(windows, now).share,
      verdicts: { success, fail: fail + lost, offline, timeout, unknown },
      ...holding,
      notices: await store.standings.noticesOf(known.row),
      exit: { phase, shardsLeft: phase === 'none' ? 0 : holding.shards },
    }
  }

  /** Asks to leave, or stays after all: who moves the shards sees it, and says when the host has left. */
  async exit(key: PeerId, host: HostId, request: hostApi.ExitRequest): Promise<hostApi.HostStanding> {
    const known = this.own(key, host)
    const { hosts, clock } = this.parts
    if (request.cancel === true) await hosts.setExit(known.row, { leavingAt: null, leftAt: null })
    else if (known.leavingAt === null) await hosts.setExit(known.row, { leavingAt: clock.nowMs(), leftAt: null })
    return this.describe(known)
  }

  /** A host's own: what is kept of a failure, for everyone to verify (permits/audit.ts). `unknown-transcript`. */
  async transcript(key: PeerId, host: HostId, id: number): Promise<Buffer> {
    const found = await this.parts.store.standings.transcript(this.own(key, host).row, id)
    if (found !== null) return found
    throw new AppError('unknown-transcript', 'the bridge keeps no such transcript of this host', {
      hint: 'the newest 200 failures of a host are kept',
    })
  }

  /** The host that speaks of itself. */
  own(key: PeerId, host: HostId): KnownHost {
    if (key !== host) throw new AppError('not-yours', 'a host asks about itself')
    const known = this.parts.hosts.get(host)
    if (known === undefined) throw new AppError('unknown-host', 'register first')
    return known
  }
}
