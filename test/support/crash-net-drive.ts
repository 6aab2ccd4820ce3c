/** A drive on a network of real processes (`shardrive up`) that crash tests kill: it publishes while programs work on it. */
import crypto from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import type { CrashDriveOptions } from './crash-drive-child.js'
import { CACHE_SHRUNK } from './crash-points.js'
import type { CrashDrive } from './crash-run.js'
import type { Lab, NetworkFacts, Running } from './drive-process.js'
import type { PowerState } from './power-state.js'
import { sleep } from './programs.js'

const CHILD = path.resolve('dist-test/programs/crash-drive-child.js')
/** A few files are more: each snapshot and each eviction is soon due. */
const CACHE_BYTES = 1_048_576
const SNAPSHOT_LOG_BYTES = 1_000
const SYNC_MS = 20_000

export class NetDrive implements CrashDrive {
  readonly mount: string
  readonly state: string
  private readonly lab: Lab
  private readonly options: CrashDriveOptions
  private readonly power: PowerState | null
  private running: Running | null = null
  private endedBy: number | string = ''

  /** `power`: its disk loses power when it dies. */
  constructor(lab: Lab, network: NetworkFacts, recovers = '', power: PowerState | null = null) {
    this.lab = lab
    this.power = power
    this.state = recovers === '' ? network.state : lab.path(recovers)
    this.mount = lab.made(`mnt${recovers}`)
    this.options = {
      ...{
        mountPoint: this.mount,
        stateDir: this.state,
        cacheBytes: CACHE_BYTES,
        snapshotLogBytes: SNAPSHOT_LOG_BYTES,
      },
      readOnly: recovers !== '',
      recovers: recovers === '' ? null : { bridge: network.bridge, phraseFile: network.phraseFile },
    }
  }

  get isDead(): boolean {
    return this.running === null || this.running.hasEnded
  }

  /** As far as it came up: of one that does not, the failure says. */
  get isKilled(): boolean {
    return this.endedBy === 'SIGKILL'
  }

  async start(failpoint: string): Promise<void> {
    if (this.isKilled) this.power?.lose()
    if (failpoint.startsWith(CACHE_SHRUNK)) await this.fillCache()
    await this.begin(failpoint)
  }

  /** A loss of power leaves no cache: what is to shrink must be there first. */
  private async fillCache(): Promise<void> {
    await this.begin('')
    fs.writeFileSync(path.join(this.mount, 'cached'), crypto.randomBytes(CACHE_BYTES / 2))
    await this.lab.sync(this.state)
    await this.stop()
  }

  private async begin(failpoint: string): Promise<void> {
    this.running = null
    this.endedBy = ''
    const recorded = this.power?.begin() as Record<string, string> | undefined
    try {
      const cacheBytes = failpoint.startsWith(CACHE_SHRUNK) ? CACHE_BYTES / 4 : CACHE_BYTES
      const words = [JSON.stringify({ ...this.options, cacheBytes })]
      this.running = await this.lab.daemon(words, { ...recorded, SHARDRIVE_FAILPOINT: failpoint }, CHILD)
      void this.running.exited.then((end) => {
        this.endedBy = end
      })
    } catch (error) {
      if ((error as Error).message.startsWith('ended at its start (SIGKILL)')) this.endedBy = 'SIGKILL'
      throw error
    }
  }

  async kill(): Promise<void> {
    await this.running?.kill()
  }

  async stop(): Promise<number | string> {
    return (await this.running?.stop()) ?? ''
  }

  async died(withinMs: number): Promise<void> {
    await Promise.race([this.running?.exited, sleep(withinMs)])
  }

  async check(): Promise<{ findings: unknown[] }> {
    return { findings: await this.lab.findings(this.state) }
  }

  /** Publishes all the while, and once more behind the work. */
  async beside(work: Promise<unknown>): Promise<void> {
    let isOver = false
    const end = () => {
      isOver = true
    }
    work.then(end, end)
    for (let isLast = false; !this.isDead && !isLast; ) {
      isLast = isOver
      const asked = this.lab.sync(this.state).catch(() => undefined)
      await Promise.race([asked, this.died(SYNC_MS)])
      await sleep(20)
    }
  }
}
