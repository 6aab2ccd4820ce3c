/** Leases and reports of repair workers, and what the operator asks: behind the calls of the API. */
import type { Clock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { hexOf } from '../../base/hex.js'
import { hostId, type PeerId } from '../../model/ids.js'
import { HOST_STATES } from '../../wire/host-api.js'
import type {
  BridgeStatus,
  DoneReply,
  DoneRequest,
  LeasedJob,
  LeaseReply,
  LeaseRequest,
} from '../../wire/repair-api.js'
import type { HostRegistry } from '../hosts/registry.js'
import type { Store } from '../persist/store.js'
import type { Schemes } from '../placement/schemes.js'
import type { LeaseDesk } from './lease-desk.js'
import type { RepairJob } from './repair-job.js'
import type { RepairQueue } from './repair-queue.js'
import type { Reports } from './reports.js'

export interface RepairCallsParts {
  store: Store
  hosts: HostRegistry
  queue: RepairQueue
  desk: LeaseDesk
  reports: Reports
  schemes: Schemes
  clock: Clock
  /** Keys of the workers that the operator listed. */
  workers: readonly string[]
  bridge: PeerId
}

const DRIVES_SHOWN = 20
/** Losses that an endangered segment survives, at most. */
const ENDANGERED_SPARE = 1

export class RepairCalls {
  private readonly parts: RepairCallsParts

  constructor(parts: RepairCallsParts) {
    this.parts = parts
  }

  isWorker(key: PeerId): boolean {
    return this.parts.workers.includes(key)
  }

  /** `not-yours` for every key that the operator did not list. */
  async lease(key: PeerId, { first }: LeaseRequest): Promise<LeaseReply> {
    this.expectWorker(key)
    if (first === true) {
      await this.parts.desk.expireOf(key)
      return { job: null }
    }
    const job = await this.parts.desk.next(key)
    return { job: job && wireJob(job) }
  }

  async done(key: PeerId, request: DoneRequest): Promise<DoneReply> {
    this.expectWorker(key)
    const receipts = request.receipts.map((hex) => Buffer.from(hex, 'hex'))
    const faults = request.faults.map((one) => ({ ...one, host: hostId(one.host) }))
    const { lease, code } = request
    return { stored: await this.parts.reports.take(key, { lease, receipts, faults, code }) }
  }

  private expectWorker(key: PeerId): void {
    if (this.isWorker(key)) return
    throw new AppError('not-yours', 'this key is of no repair worker', {
      hint: 'start the bridge with --worker and the key of the worker',
    })
  }

  async status(key: PeerId): Promise<BridgeStatus> {
    const { store, hosts, queue, schemes, clock, bridge } = this.parts
    if (key !== bridge) throw new AppError('not-yours', 'only the operator of this bridge may ask that')
    const nowMs = clock.nowMs()
    const all = hosts.all()
    const counts = await store.repairs.counts()
    const sum = (state: string, spareMax = Number.POSITIVE_INFINITY) =>
      counts.filter((one) => one.state === state && one.spare <= spareMax).reduce((total, one) => total + one.count, 0)
    const states = HOST_STATES.map((state) => [state, all.filter((one) => one.state === state).length])
    const presences = all.map((one) => queue.viewOf(one.row).presence)
    const { dataShards: k, totalShards: n } = schemes.current()
    return {
      time: Math.round(nowMs),
      scheme: { k, n },
      frozen: store.frozen,
      hosts: {
        online: all.filter((one) => one.online).length,
        total: all.length,
        away: presences.filter((one) => one === 'away').length,
        leaving: all.filter((one) => one.leavingAt !== null && one.leftAt === null).length,
        states: Object.fromEntries(states) as BridgeStatus['hosts']['states'],
      },
      repairs: {
        queued: sum('ready'),
        endangered: sum('ready', ENDANGERED_SPARE) + sum('waiting'),
        waiting: sum('waiting'),
        waitingDrives: await store.repairs.drivesIn('waiting', DRIVES_SHOWN),
        dead: sum('dead'),
        leased: await store.repairs.leasedNow(nowMs),
        heldUntil: roundUp(queue.circuitUntil()),
        lossesPerHostDay: queue.lossesPerHostDay,
      },
      deletions: await store.hosts.countDeletions(),
    }
  }
}

function roundUp(timeMs: number | null): number | null {
  return timeMs === null ? null : Math.ceil(timeMs)
}

function wireJob(job: RepairJob): LeasedJob {
  const { lease, segment, dataShards, totalShards, shardLength, shards } = job
  const wired = <T extends { token: Buffer }>(one: T) => ({ ...one, token: hexOf(one.token) })
  return {
    ...{ lease, until: Math.round(job.untilMs), segment, k: dataShards, n: totalShards, shardLength, shards },
    sources: job.sources.map(wired),
    targets: job.targets.map((one) => ({ ...wired(one), copyFrom: one.copyFrom && wired(one.copyFrom) })),
  }
}
