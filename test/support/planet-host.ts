/** A host of the planet: the real one, in a network of its own, with a character. */
import fs from 'node:fs'
import path from 'node:path'
import { initHost, type RunningHost, runHost } from '../../src/app/host-process.js'
import type { Surroundings } from '../../src/app/surroundings.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import type { SigningKey } from '../../src/crypto/signing-key.js'
import { type HostId, peerId } from '../../src/model/ids.js'
import type { PeerNetwork } from '../../src/rtc/peer-network.js'
import { until } from './named.js'
import type { Planet } from './planet.js'
import { DAY_MS } from './planet-time.js'

/** Stands between peers and what a host serves. */
export type Behave = (transport: PeerNetwork, key: SigningKey, host: PlanetHost) => PeerNetwork

export interface HostPlan {
  /** `honest`, or what is wrong with it: the row of the table. */
  kind: string
  /** The day on which it goes wrong. */
  wrongFrom?: number
  /** 127.0.0.0/8; default: a /24 of its own. */
  address?: string
  behave?: Behave
  /** Each step of the planet. */
  step?: (host: PlanetHost) => Promise<void>
  /** Of its own clock, once it has gone wrong. */
  clockErrorMs?: number
  /** How long an audit of it takes, once it has gone wrong. */
  answerMs?: (host: PlanetHost) => number
}

const CAPACITY_BYTES = 2 ** 31
/** A report brings a scrub of the whole disk with it, which is as small as everything here. */
const REPORT_MS = DAY_MS

export class PlanetHost {
  readonly plan: HostPlan
  readonly dir: string
  readonly address: string
  readonly planet: Planet
  id!: HostId
  running: RunningHost | null = null
  /** Gone for good. */
  isGone = false
  /** Until when it is away; it comes back by itself. */
  awayUntil: number | null = null
  /** It asked the bridge to leave in order. */
  isLeaving = false

  constructor(planet: Planet, at: number, plan: HostPlan) {
    this.planet = planet
    this.plan = plan
    this.dir = path.join(planet.dir, `host-${at}`)
    this.address = plan.address ?? `127.${1 + (at >> 8)}.${at & 255}.7`
  }

  /** Since it went wrong; negative: not yet. */
  get wrongDays(): number {
    return this.planet.day - (this.plan.wrongFrom ?? Number.POSITIVE_INFINITY)
  }

  get isWrong(): boolean {
    return this.wrongDays >= 0
  }

  private around(): Surroundings {
    const openPeers: Surroundings['openPeers'] = ({ key }) => {
      const transport = this.planet.hub.node(peerId(key.id))
      return this.plan.behave?.(transport, key, this) ?? transport
    }
    const clock = this.planet.clock(() => (this.isWrong ? (this.plan.clockErrorMs ?? 0) : 0))
    return { clock, random: systemRandom, openPeers }
  }

  async join(): Promise<void> {
    fs.mkdirSync(this.dir, { recursive: true })
    const bridgeUrl = `http://${this.address}:${this.planet.world.bridge.port}`
    this.id = await initHost({ dir: this.dir, bridgeUrl, capacityBytes: CAPACITY_BYTES }, this.around())
    await this.up()
  }

  async up(): Promise<void> {
    if (this.running !== null || this.isGone) return
    const options = { diskFloorBytes: 0, reportMs: REPORT_MS, diskLookMs: DAY_MS }
    this.running = await runHost(this.dir, silentLog, this.around(), options)
    await until(() => this.isOnline, 20_000)
  }

  get isOnline(): boolean {
    return this.planet.known(this)?.online === true
  }

  /** Its peers are told that the line is closed: after a power cut each would wait for 5 s of real time. */
  async down(): Promise<void> {
    const { running } = this
    if (running === null) return
    this.running = null
    await running.stop()
    await until(() => !this.isOnline, 20_000)
  }

  /** For ever, with its disk. */
  async leave(): Promise<void> {
    await this.down()
    this.isGone = true
    fs.rmSync(this.dir, { recursive: true, force: true })
  }

  /** In order: the bridge moves what lies here first. */
  async askToLeave(): Promise<void> {
    this.isLeaving = true
    await this.running?.client.exit(this.id, {})
  }

  /** Its volumes are gone; it starts again and finds that out, or starts again with nothing and says nothing (`behave`). */
  async loseVolumes(): Promise<void> {
    await this.down()
    const folder = path.join(this.dir, 'volumes')
    for (const name of fs.readdirSync(folder)) if (name.endsWith('.vol')) fs.rmSync(path.join(folder, name))
    await this.up()
  }

  /** A byte somewhere in its volumes flips. */
  rot(): void {
    const { dice } = this.planet
    const folder = path.join(this.dir, 'volumes')
    const files = fs.readdirSync(folder).filter((name) => name.endsWith('.vol'))
    if (files.length === 0) return
    const file = path.join(folder, dice.pick(files))
    const { size } = fs.statSync(file)
    if (size < 4_096) return
    const handle = fs.openSync(file, 'r+')
    const byte = Buffer.alloc(1)
    const offset = dice.roll(256, size - 1)
    fs.readSync(handle, byte, 0, 1, offset)
    fs.writeSync(handle, Buffer.from([byte.readUInt8(0) ^ 0xff]), 0, 1, offset)
    fs.closeSync(handle)
  }
}
