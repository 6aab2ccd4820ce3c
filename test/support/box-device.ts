/** A device of the box: its account, its drive without a door, the hand that works on it. */
import fs from 'node:fs'
import path from 'node:path'
import { type Drive, type DriveOptions, openDrive } from '../../src/app/drive.js'
import { DriveStatus } from '../../src/app/drive-status.js'
import { type PeerId, peerId } from '../../src/model/ids.js'
import type { DriveFacts } from '../../src/mount/account/drive-files.js'
import { Hand } from './drive-hand.js'
import type { BoxClock, DriveNet } from './drive-net.js'

export class BoxDevice {
  readonly dir: string
  readonly phrase: string
  readonly clock: BoxClock
  facts!: DriveFacts
  drive: Drive | null = null
  /** What was said to the person who mounted. */
  readonly said: string[] = []
  private readonly net: DriveNet
  private readonly name: string
  private opened: Hand | null = null

  constructor(net: DriveNet, name: string, phrase: string) {
    this.net = net
    this.name = name
    this.phrase = phrase
    this.dir = path.join(net.dir, name)
    this.clock = net.clock()
  }

  get setup() {
    return { stateDir: this.dir, bridgeUrl: this.net.bridgeUrl, driveName: 'main' }
  }

  async open(options: Partial<DriveOptions> = {}): Promise<Drive> {
    this.drive = await openDrive(
      {
        ...{ stateDir: this.dir, passphrase: null, readOnly: false, takeover: false, fsyncStored: false },
        ...{ cacheBytes: 2 ** 28, say: (line: string) => void this.said.push(line), ...options },
      },
      { ...this.net.surroundings(this.clock), log: this.net.log(this.name) },
    )
    this.opened = new Hand(this.drive.vfs)
    return this.drive
  }

  get hand(): Hand {
    return this.opened as Hand
  }

  get id(): PeerId {
    return peerId(this.facts.device)
  }

  async sync(timeoutMs = 30_000): Promise<void> {
    await this.drive?.storeAll(AbortSignal.timeout(timeoutMs))
  }

  async status(): Promise<Record<string, unknown>> {
    const { identity, network, storage, sync } = this.drive as Drive
    const parts = { identity, network, storage, sync, mountPoint: '-', clock: this.clock }
    return (await new DriveStatus(parts).describe()) as Record<string, unknown>
  }

  get readOnlyReason(): string | null {
    return (this.drive as Drive).storage.ledger.readOnlyReason()
  }

  /** Unmounted, with fsck before. */
  async close(): Promise<void> {
    await this.end(true)
  }

  /** Ends without storing what is only here. */
  async drop(): Promise<void> {
    await this.end(false)
  }

  private async end(drains: boolean): Promise<void> {
    const drive = this.drive
    this.drive = null
    if (drive === null) return
    try {
      const findings = await drive.storage.ledger.check()
      if (findings.length > 0) throw new Error(`fsck of ${this.name}: ${JSON.stringify(findings)}`)
      if (drains) await drive.drain()
    } finally {
      await drive.close()
    }
  }

  /** The same device with nothing in its cache. */
  async reopenCold(options: Partial<DriveOptions> = {}): Promise<Drive> {
    await this.close()
    for (const name of fs.readdirSync(this.dir)) {
      if (name.startsWith('cache.db')) fs.rmSync(path.join(this.dir, name))
    }
    return this.open(options)
  }
}
