/** The parts of repair, built and connected; those that move bytes only where the bridge has a peer of its own. */
import type { Clock } from '../../base/clock.js'
import type { KeyedMutex } from '../../base/keyed-mutex.js'
import type { Log } from '../../base/log.js'
import type { DriveId } from '../../model/ids.js'
import type { Transport } from '../../rtc/transport.js'
import type { AuditRequests } from '../audits/requests.js'
import type { BridgeConfig } from '../config.js'
import type { Commits } from '../contracts/commits.js'
import type { TokenIssuer } from '../contracts/tokens.js'
import { GarbageCollector } from '../hosts/garbage-collector.js'
import { GarbageRounds } from '../hosts/garbage-rounds.js'
import { Inventory } from '../hosts/inventory.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'
import type { HostSpeeds } from '../placement/speeds.js'
import { Completer } from './completer.js'
import { CompletionQueue } from './completion.js'
import { Exits } from './exits.js'
import { HostTroubles } from './host-troubles.js'
import { LeaseDesk } from './lease-desk.js'
import { Mender } from './mender.js'
import { RepairPacer } from './pacer.js'
import { RepairQueue } from './repair-queue.js'
import { AWAY_AFTER_MS } from './repair-threshold.js'
import { Repairer } from './repairer.js'
import { Reports } from './reports.js'
import { WorkBounds } from './work-bounds.js'

export interface RepairRoomsParts {
  store: Store
  config: BridgeConfig
  hosts: HostRegistry
  tokens: TokenIssuer
  commits: Commits
  speeds: HostSpeeds
  transport: Transport | null
  clock: Clock
  log: Log
  lot: () => number
  placing: KeyedMutex<DriveId>
  isFrozen: () => boolean
  requests: AuditRequests
}

export interface RepairRooms {
  queue: RepairQueue
  desk: LeaseDesk
  reports: Reports
  exits: Exits
  /** What works on shards itself. */
  own: {
    completion: CompletionQueue
    repairer: Repairer
    inventory: Inventory
    collector: GarbageCollector
    rounds: GarbageRounds
  } | null
}

export async function buildRepairs(parts: RepairRoomsParts): Promise<RepairRooms> {
  const { config, clock } = parts
  const awayMs = config.awayMs ?? AWAY_AFTER_MS
  const troubles = new HostTroubles({ clock })
  const pacer = new RepairPacer({ clock }, config.repair)
  const queue = new RepairQueue({ ...parts, awayMs })
  const desk = new LeaseDesk({ ...parts, queue, troubles, pacer, policy: config.policy })
  const reports = new Reports({ ...parts, queue, troubles })
  // Work of an earlier life of this process: nobody does it any more.
  await desk.expireOf(parts.tokens.bridge)
  const own = parts.transport === null ? null : buildOwn(parts, parts.transport, { desk, reports, troubles, awayMs })
  return { queue, desk, reports, exits: new Exits(parts), own }
}

function buildOwn(
  parts: RepairRoomsParts,
  transport: Transport,
  built: { desk: LeaseDesk; reports: Reports; troubles: HostTroubles; awayMs: number },
): RepairRooms['own'] {
  const { store, hosts, tokens, clock, log, speeds } = parts
  const { desk, reports, troubles, awayMs } = built
  const holder = tokens.bridge
  const bounds = new WorkBounds()
  const onMoved = speeds.note.bind(speeds)
  const mender = new Mender({ transport, clock, onMoved })
  const completer = new Completer({ desk, mender, reports, holder })
  const inventory = new Inventory({ transport })
  const collector = new GarbageCollector({ ...parts, inventory })
  return {
    completion: new CompletionQueue({ store, hosts, completer, troubles, bounds, clock, log, awayMs }),
    repairer: new Repairer({ desk, completer, bounds, log, holder }),
    inventory,
    collector,
    rounds: new GarbageRounds({ store, hosts, collector, clock, log }),
  }
}
