/** A host of the box: real, on a clock of its own, and able to lie. */
import path from 'node:path'
import Database from 'better-sqlite3'
import { initHost, type RunningHost, runHost } from '../../src/app/host-process.js'
import type { HostId } from '../../src/model/ids.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import type { BoxClock, DriveNet } from './drive-net.js'
import { Liar } from './lying-host.js'
import { until } from './named.js'

export interface WitnessRow {
  pseudonym: Buffer
  sequence: number
  witness: Buffer
}

export class BoxHost {
  readonly dir: string
  readonly liar = new Liar()
  readonly clock: BoxClock
  id!: HostId
  running: RunningHost | null = null
  private readonly net: DriveNet
  private readonly name: string

  private constructor(net: DriveNet, name: string) {
    this.net = net
    this.name = name
    this.dir = path.join(net.dir, name)
    this.clock = net.clock()
  }

  static async start(net: DriveNet, name: string): Promise<BoxHost> {
    const host = new BoxHost(net, name)
    const init = { dir: host.dir, bridgeUrl: net.bridgeUrl, capacityBytes: 2 ** 31 }
    host.id = await initHost(init, net.surroundings(host.clock))
    await host.run()
    return host
  }

  async run(): Promise<void> {
    const wrap = (transport: PeerNetwork) => this.liar.wrap(transport) as PeerNetwork
    const around = this.net.surroundings(this.clock, wrap)
    this.running = await runHost(this.dir, this.net.log(this.name), around, {
      diskFloorBytes: 0,
      diskLookMs: 3_600_000,
      ...(this.net.options.reportMs === undefined ? {} : { reportMs: this.net.options.reportMs }),
    })
    await until(() => this.isOnline)
  }

  get isOnline(): boolean {
    return this.net.world.bridge.hostsOnline().includes(this.id)
  }

  /** As SIGKILL, but for the folder's lock. */
  async kill(): Promise<void> {
    this.net.hub.kill(this.id)
    await this.stop()
    await until(() => !this.isOnline)
  }

  async stop(): Promise<void> {
    const running = this.running
    this.running = null
    await running?.stop()
  }

  /** As if no device had left a word here. */
  async forgetWitnesses(): Promise<void> {
    await this.restoreWitnesses([])
  }

  async witnesses(): Promise<WitnessRow[]> {
    return this.onKept((db) => db.prepare('SELECT pseudonym, sequence, witness FROM witnesses').all() as WitnessRow[])
  }

  async restoreWitnesses(rows: readonly WitnessRow[]): Promise<void> {
    await this.onKept((db) => {
      db.exec('DELETE FROM witnesses')
      const put = db.prepare('INSERT INTO witnesses (pseudonym, sequence, witness) VALUES (?, ?, ?)')
      for (const { pseudonym, sequence, witness } of rows) put.run(pseudonym, sequence, witness)
    })
  }

  /** The host is away meanwhile. */
  private async onKept<T>(work: (db: Database.Database) => T): Promise<T> {
    await this.stop()
    const db = new Database(path.join(this.dir, 'kept.db'))
    try {
      return work(db)
    } finally {
      db.close()
      await this.run()
    }
  }

  get shards(): number {
    return this.running?.host.store.totals().shards ?? 0
  }
}
