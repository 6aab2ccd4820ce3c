/**
 * Tells the kernel what changed behind it, in the background: a few notifications at a time, each inode and name once however often
 * it comes while it waits. Who tells faster than the kernel takes waits for room. After a failure the rest is told all the same.
 */
import type { Log } from '../../base/log.js'

export interface News {
  readonly inodes: readonly number[]
  readonly names: readonly { readonly parent: number; readonly name: Buffer }[]
}

export interface NewsPort {
  invalidateInode(ino: number): Promise<void>
  invalidateEntry(parent: number, name: Buffer): Promise<void>
}

/** Well below what the native queue takes (1,024): others notify as well. */
const AT_ONCE = 64
/** Some 15 MB. */
const WAITING_MAX = 100_000

export class KernelNews {
  private readonly port: NewsPort
  private readonly log: Log
  private readonly waitingMax: number
  private readonly inodes = new Set<number>()
  private readonly names = new Map<string, News['names'][number]>()
  private running = false
  private tellRoom: () => void = () => {}
  private room = Promise.resolve()

  constructor(port: NewsPort, log: Log, options: { waitingMax?: number } = {}) {
    this.port = port
    this.log = log
    this.waitingMax = options.waitingMax ?? WAITING_MAX
  }

  get waiting(): number {
    return this.inodes.size + this.names.size
  }

  /** Resolves when there is room for more. */
  tell({ inodes, names }: News): Promise<void> {
    for (const one of names) this.names.set(`${one.parent}/${one.name.toString('latin1')}`, one)
    for (const ino of inodes) this.inodes.add(ino)
    if (!this.running && this.waiting > 0) {
      this.running = true
      this.room = new Promise((resolve) => {
        this.tellRoom = resolve
      })
      void this.run()
    }
    return this.waiting > this.waitingMax ? this.room : Promise.resolve()
  }

  private async run(): Promise<void> {
    while (this.waiting > 0) {
      const outcomes = await Promise.allSettled(this.next())
      const failed = outcomes.find((one) => one.status === 'rejected')
      if (failed) this.log.debug({ err: failed.reason }, 'the kernel was not told of a change')
      if (this.waiting <= this.waitingMax) this.tellRoom()
    }
    this.running = false
  }

  /** Names first: they show what is gone. */
  private next(): Promise<void>[] {
    const sent: Promise<void>[] = []
    for (const [key, { parent, name }] of this.names) {
      if (sent.length === AT_ONCE) return sent
      this.names.delete(key)
      sent.push(this.port.invalidateEntry(parent, name))
    }
    for (const ino of this.inodes) {
      if (sent.length === AT_ONCE) return sent
      this.inodes.delete(ino)
      sent.push(this.port.invalidateInode(ino))
    }
    return sent
  }
}
