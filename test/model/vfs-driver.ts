/** Plays the kernel to a Vfs over a real ledger: walks paths by lookup, gives lookups back, carries out steps. */
import type { Test } from 'tap'
import type { Clock } from '../../src/base/clock.js'
import { silentLog } from '../../src/base/log.js'
import type { Attributes, OpenFlags, RequestContext } from '../../src/mount/fuse/filesystem.js'
import type { LedgerClient } from '../../src/mount/metadata/client.js'
import { Vfs } from '../../src/mount/vfs/vfs.js'
import { Staging } from '../../src/mount/writer/staging.js'
import type { FakeHosts } from '../rooms/mount/metadata/support.js'
import type { Path } from './steps.js'

export const TYPE_BITS = { file: 0o100000, directory: 0o040000, link: 0o120000, fifo: 0o010000 } as const
const FLAGS: OpenFlags = {
  ...{ read: true, write: true, append: false, truncate: false, exclusive: true, sync: false, direct: false },
  ...{ noAtime: false, killSuidGid: false },
}

export class VfsDriver {
  readonly vfs: Vfs
  readonly ledger: LedgerClient
  readonly clock: { ns: bigint }

  private constructor(vfs: Vfs, ledger: LedgerClient, clock: { ns: bigint }) {
    this.vfs = vfs
    this.ledger = ledger
    this.clock = clock
  }

  static async start(ledger: LedgerClient, hosts: FakeHosts): Promise<VfsDriver> {
    const time = { ns: 1n }
    const clock = { nowNs: () => time.ns } as Clock
    let vfs: Vfs | null = null
    const space = { take: () => true, refresh: async () => {}, watch: () => {} } as never
    const staging = new Staging({ ledger, space, written: (ino, writes, result) => vfs?.written(ino, writes, result) })
    ledger.beforeCalls(() => staging.flush())
    const reader = {
      read: async (ino: number, offset: number, size: number) => {
        const { pieces } = await ledger.plan(ino, offset, size)
        return pieces.map((piece) => {
          if (piece.kind === 'zeros') return Buffer.alloc(piece.length)
          if (piece.kind === 'bytes') return piece.bytes
          return hosts.fetch(piece.segment.segment, piece.segmentOffset, piece.length)
        })
      },
    }
    const parts = { ledger, staging, reader, space: { space: () => null }, clock, log: silentLog }
    vfs = await Vfs.start(parts, { uid: 0, gid: 0 })
    return new VfsDriver(vfs, ledger, time)
  }

  context(gid = 0): RequestContext {
    return { uid: 0, gid, pid: 1, signal: new AbortController().signal }
  }

  /** Runs `work` with the inode at the end of a path; every lookup on the way is forgotten afterwards. */
  async at<T>(path: Path, work: (inode: Attributes) => Promise<T> | T): Promise<T> {
    const looked: number[] = []
    try {
      let inode = await this.vfs.getAttributes(1)
      for (const name of path) {
        if ((inode.mode & 0o170000) !== TYPE_BITS.directory) throw refusal('not-a-directory')
        const next = await this.vfs.lookup(inode.ino, bytes(name))
        if (next === null) throw refusal('not-found')
        looked.push(next.ino)
        inode = next
      }
      return await work(inode)
    } finally {
      for (const ino of looked) this.vfs.forget(ino, 1)
    }
  }

  /** Runs `work` with the directory of a path and the last name. */
  in<T>(path: Path, work: (parent: number, name: Buffer) => Promise<T> | T): Promise<T> {
    return this.at(path.slice(0, -1), (parent) => {
      if ((parent.mode & 0o170000) !== TYPE_BITS.directory) throw refusal('not-a-directory')
      return work(parent.ino, bytes(path.at(-1) as string))
    })
  }

  async withHandle<T>(ino: number, work: (fh: number) => Promise<T> | T): Promise<T> {
    const { fh } = await this.vfs.open(ino, FLAGS)
    try {
      return await work(fh)
    } finally {
      this.vfs.release(ino, fh)
    }
  }

  async createFile(parent: number, name: Buffer, mode: number, gid: number): Promise<void> {
    const made = await this.vfs.create(parent, name, mode, FLAGS, this.context(gid))
    this.vfs.release(made.attributes.ino, made.fh)
    this.vfs.forget(made.attributes.ino, 1)
  }

  async content(ino: number): Promise<Buffer> {
    const { size } = await this.vfs.getAttributes(ino)
    return await this.withHandle(ino, async (fh) => {
      const parts: Buffer[] = []
      for (let at = 0; at < size; at += 10_000) {
        parts.push(...[await this.vfs.read(ino, fh, at, 10_000, this.context())].flat())
      }
      return Buffer.concat(parts)
    })
  }

  /** As programs do, until nothing more comes. What is on its way to hosts is copied when it is there. */
  async copy(
    from: number,
    to: number,
    range: { offset: number; toOffset: number; length: number },
    publish: () => Promise<void>,
  ): Promise<void> {
    // A copy within one file makes that file longer: the end is where it was.
    const { size } = await this.vfs.getAttributes(from)
    const length = Math.max(Math.min(range.length, size - range.offset), 0)
    const share = async (source: number, target: number): Promise<void> => {
      for (let done = 0; done < length; ) {
        const at = { ino: from, fh: source, offset: range.offset + done }
        const goal = { ino: to, fh: target, offset: range.toOffset + done, killSuidGid: false }
        const copied = await codeOr(this.vfs.copyRange(at, goal, length - done))
        if (copied === 'not-supported') await publish()
        else done += copied
      }
    }
    await this.withHandle(from, (source) => this.withHandle(to, (target) => share(source, target)))
  }

  async nameless(data: Buffer): Promise<{ ino: number; fh: number }> {
    const made = await this.vfs.tmpFile(1, 0o600, FLAGS, this.context())
    await this.vfs.write(made.attributes.ino, made.fh, 0, data, { append: false, killSuidGid: false })
    return { ino: made.attributes.ino, fh: made.fh }
  }
}

async function codeOr(copied: Promise<number>): Promise<number | 'not-supported'> {
  try {
    return await copied
  } catch (error) {
    if ((error as { code?: unknown }).code === 'not-supported') return 'not-supported'
    throw error
  }
}

export function bytes(name: string): Buffer {
  return Buffer.from(name, 'latin1')
}

export function refusal(code: string): Error {
  return Object.assign(new Error(code), { code })
}

export type { Test }
