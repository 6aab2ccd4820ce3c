/** The rooms of one bridge, built and connected: what stands behind the API. No timers, no network of its own. */
import type { Clock } from '../base/clock.js'
import { KeyedMutex } from '../base/keyed-mutex.js'
import type { Log } from '../base/log.js'
import type { RandomBytes } from '../base/random.js'
import type { SigningKey } from '../crypto/signing-key.js'
import type { DriveId } from '../model/ids.js'
import type { Transport } from '../rtc/transport.js'
import { Access } from './accounts/access.js'
import { Accounts } from './accounts/accounts.js'
import { Auditor } from './audits/auditor.js'
import { Audits } from './audits/audits.js'
import { Closing } from './audits/closing.js'
import { Losses } from './audits/losses.js'
import { AuditRequests } from './audits/requests.js'
import type { BridgeConfig } from './config.js'
import { Commits } from './contracts/commits.js'
import { TokenIssuer } from './contracts/tokens.js'
import { Deletions } from './hosts/deletions.js'
import { Inventory } from './hosts/inventory.js'
import { HostReach } from './hosts/reach.js'
import { HostRegistry } from './hosts/registry.js'
import type { Store } from './persist/store.js'
import { Placements } from './placement/placements.js'
import { Schemes } from './placement/schemes.js'
import { HostSpeeds } from './placement/speeds.js'
import { Reconciler } from './reconcile/reconciler.js'
import { Restatements } from './reconcile/restatements.js'
import { RepairCalls } from './repairs/repair-calls.js'
import { buildRepairs, type RepairRooms } from './repairs/repair-rooms.js'
import { Standings } from './reputation/standings.js'
import { Chains } from './segments/chains.js'
import { Sweeper } from './segments/sweeper.js'
import { Views } from './segments/views.js'
import type { Hub } from './signaling/hub.js'

export interface RoomsParts {
  store: Store
  config: BridgeConfig
  key: SigningKey
  clock: Clock
  random: RandomBytes
  log: Log
  hub: Hub
  /** Without one nothing is completed. */
  transport: Transport | null
}

export interface Rooms {
  store: Store
  config: BridgeConfig
  access: Access
  accounts: Accounts
  chains: Chains
  hosts: HostRegistry
  tokens: TokenIssuer
  placements: Placements
  commits: Commits
  views: Views
  sweeper: Sweeper
  deletions: Deletions
  standings: Standings
  losses: Losses
  audits: Audits
  /** Shards to be asked for out of turn: evidence, inventories. */
  auditRequests: AuditRequests
  repairs: RepairRooms
  schemes: Schemes
  repairCalls: RepairCalls
  reach: HostReach
  reconciler: Reconciler
  restatements: Restatements
}

export async function buildRooms(parts: RoomsParts): Promise<Rooms> {
  const { store, config, key, clock, random, log, hub } = parts
  const { policy } = config
  const incarnation = () => store.incarnation
  const placing = new KeyedMutex<DriveId>()
  const lot = () => random(6).readUIntBE(0, 6) / 2 ** 48
  const access = new Access({ store, clock })
  const hosts = await HostRegistry.load({ store, clock, isOnline: (host) => hub.isOnline(host) })
  const tokens = new TokenIssuer({ key, incarnation, clock, random })
  const commits = new Commits({ store, access, clock })
  const standings = await Standings.load({ store, hosts, clock, log })
  const auditRequests = new AuditRequests({ store, clock, lot })
  const rooms = { store, config, access, hosts, tokens, commits, standings, auditRequests }
  const speeds = new HostSpeeds()
  const schemes = new Schemes({ hosts, clock, policy, scheme: config.scheme })
  const workers = config.repair?.workers ?? []
  const isFrozen = () => store.frozen
  const shared = { lot, placing, speeds, isFrozen, clock, log, transport: parts.transport }
  const repairs = await buildRepairs({ ...rooms, ...shared, requests: auditRequests })
  const accounts = new Accounts({ store, access, clock })
  return {
    ...rooms,
    ...buildReconcile(parts, rooms, { lot, placing }),
    accounts,
    chains: new Chains({
      store,
      access,
      clock,
      recreate: (genesis, label) => accounts.recreate(genesis, label),
      onRevoked: async (device) => {
        if (!(await access.isDevice(device))) hub.expel(device)
      },
    }),
    placements: new Placements({ store, access, hosts, tokens, clock, speeds, policy, lot, placing }),
    views: new Views({ store, access, hosts, tokens, clock, policy, requests: auditRequests }),
    sweeper: new Sweeper({ store, clock, log, isFrozen }),
    deletions: new Deletions({ store, hosts, hub, tokens, clock, isFrozen }),
    repairs,
    schemes,
    repairCalls: new RepairCalls({ ...rooms, ...repairs, schemes, clock, workers, bridge: tokens.bridge }),
    reach: new HostReach({ hosts, transport: parts.transport, clock }),
    losses: new Losses({ store, standings, requests: auditRequests }),
    audits: buildAudits(parts, rooms, lot),
  }
}

function buildAudits(parts: RoomsParts, rooms: Pick<Rooms, 'hosts' | 'standings'>, lot: () => number): Audits {
  const { store, key, clock, random, log, transport } = parts
  const { policy, auditEveryMs } = parts.config
  const every = auditEveryMs === undefined ? {} : { everyMs: auditEveryMs }
  const shared = { store, clock, log, lot, ...rooms }
  const incarnation = () => store.incarnation
  const auditor = transport === null ? null : new Auditor({ ...shared, transport, key, incarnation, random })
  return new Audits({ ...shared, auditor, closing: new Closing({ ...shared, policy }), ...every })
}

function buildReconcile(
  { store, config, clock, log, transport }: RoomsParts,
  { access, hosts }: Pick<Rooms, 'access' | 'hosts'>,
  shared: { lot: () => number; placing: KeyedMutex<DriveId> },
): Pick<Rooms, 'reconciler' | 'restatements'> {
  const inventory = transport === null ? null : new Inventory({ transport })
  const reconciler = new Reconciler({ store, hosts, inventory, clock, log })
  const restatements = new Restatements({
    ...{ store, access, hosts, clock, policy: config.policy, ...shared },
    areHostsIn: () => reconciler.areHostsIn(),
  })
  reconciler.connect(restatements)
  return { reconciler, restatements }
}
