/** A vfs and the reference side by side: carries out one step on both and compares what they say and show. */
import { strict as assert } from 'node:assert'
import type { LedgerClient } from '../../src/mount/metadata/client.js'
import { dumpTree, type FakeHosts, nextHead, prepare, publish, rampBytes } from '../rooms/mount/metadata/support.js'
import { expected, expectFile } from './expected.js'
import { Reference, type RefInode } from './reference.js'
import type { Plan, Step, Target } from './steps.js'
import { bytes, TYPE_BITS, type VfsDriver } from './vfs-driver.js'

const WANT_FILES = new Set(['write', 'truncate', 'range', 'copy', 'hold', 'link'])
const NEED_NAME = new Set(['remove', 'rename', 'link'])
const NO_KILL = { append: false, killSuidGid: false }

interface Held {
  ino: number
  fh: number
  inode: RefInode
}

export class Pair {
  readonly model = new Reference()
  readonly held: Held[] = []
  readonly cuts: { epoch: number; tree: unknown }[] = []
  private writes = 0
  private readonly driver: VfsDriver
  private readonly replica: LedgerClient
  private readonly hosts: FakeHosts

  constructor(driver: VfsDriver, replica: LedgerClient, hosts: FakeHosts) {
    this.driver = driver
    this.replica = replica
    this.hosts = hosts
    Object.assign(this.model.root, { atime: 1, mtime: 1, ctime: 1 })
  }

  /** Turns picks into paths of the tree as it is now. */
  async carryOut(plan: Plan): Promise<void> {
    const all: string[][] = []
    const files: string[][] = []
    const walk = (inode: RefInode, at: string[]): void => {
      all.push(at)
      if (inode.type === 'file') files.push(at)
      for (const [name, child] of inode.children) walk(child, [...at, name])
    }
    walk(this.model.root, [])
    const entries = all.slice(1)
    const resolve = (target: Target, from: readonly string[][]): string[] => {
      const found = from.length === 0 ? ['nothing'] : (from[target.pick % from.length] as string[])
      if (target.name === null) return found
      const isDirectory = this.model.find(found).type === 'directory'
      return [...(isDirectory ? found : found.slice(0, -1)), target.name]
    }
    const concrete: Record<string, unknown> = { ...plan }
    if ('path' in plan) {
      const onFiles = WANT_FILES.has(plan.do) && plan.path.pick % 20 !== 0
      const from = plan.do === 'make' ? all : onFiles ? files : NEED_NAME.has(plan.do) ? entries : all
      concrete.path = resolve(plan.path, from)
    }
    if ('from' in plan) concrete.from = resolve(plan.from, files)
    if ('to' in plan && plan.to !== null) concrete.to = resolve(plan.to, plan.to.name === null ? entries : all)
    if ((concrete.path as string[] | undefined)?.length === 0 && plan.do === 'make') return
    await this.run(concrete as unknown as Step)
  }

  async run(one: Step): Promise<void> {
    this.driver.clock.ns += 1_000_000_007n
    this.model.now = Number(this.driver.clock.ns)
    const [real, wanted] = [
      await codeOf(() => this.real(one)),
      await codeOf(() => expected(this.model, one, (size) => this.data(size))),
    ]
    assert.equal(real, wanted, `${JSON.stringify(one)} ended with ${real}, should be ${wanted}`)
    if (one.do === 'write' || one.do === 'useHeld') this.writes++
  }

  private data(size: number): Buffer {
    return rampBytes(this.writes, size, this.writes * 1_000)
  }

  private async real(s: Step): Promise<void> {
    const { vfs } = this.driver
    const d = this.driver
    switch (s.do) {
      case 'make':
        return d.in(s.path, (parent, name) => this.make(s, parent, name))
      case 'link':
        return d.at(s.path, (inode) =>
          d.in(s.to, async (parent, name) => {
            await vfs.link(inode.ino, parent, name)
            vfs.forget(inode.ino, 1)
          }),
        )
      case 'remove':
        return d.in(s.path, (p, name) => (s.kind === 'file' ? vfs.unlink(p, name) : vfs.removeDirectory(p, name)))
      case 'rename': {
        const flags = { noReplace: s.mode === 'no-replace', exchange: s.mode === 'exchange' }
        return d.in(s.path, (p, name) => d.in(s.to, (q, newName) => vfs.rename(p, name, q, newName, flags)))
      }
      case 'write':
        return d.at(s.path, ({ ino, mode }) => {
          expectFile(mode)
          const options = { append: s.append, killSuidGid: s.kill }
          return d.withHandle(ino, async (fh) => void (await vfs.write(ino, fh, s.offset, this.data(s.size), options)))
        })
      case 'truncate':
        return d.at(
          s.path,
          async ({ ino }) => void (await vfs.setAttributes(ino, { size: s.size, killSuidGid: false })),
        )
      case 'range':
        return d.at(s.path, ({ ino, mode }) => {
          expectFile(mode)
          const flags = { punchHole: s.action === 'punch', zeroRange: s.action === 'zero', keepSize: s.keepSize }
          return d.withHandle(ino, (fh) => vfs.allocate(ino, fh, s.offset, s.length, { ...flags, killSuidGid: false }))
        })
      default:
        return this.realRest(s)
    }
  }

  private async make(s: Step & { do: 'make' }, parent: number, name: Buffer): Promise<void> {
    const { vfs } = this.driver
    const ctx = this.driver.context(s.gid)
    if (s.type === 'file') return this.driver.createFile(parent, name, s.mode, s.gid)
    const made =
      s.type === 'directory'
        ? await vfs.makeDirectory(parent, name, s.mode, ctx)
        : s.type === 'link'
          ? await vfs.makeSymlink(parent, name, Buffer.from('target'), ctx)
          : await vfs.makeNode(parent, name, TYPE_BITS.fifo | s.mode, 0, ctx)
    vfs.forget(made.ino, 1)
  }

  private async realRest(s: Step): Promise<void> {
    const { vfs, ledger } = this.driver
    const d = this.driver
    switch (s.do) {
      case 'chmod':
        return d.at(
          s.path,
          async ({ ino }) => void (await vfs.setAttributes(ino, { mode: s.mode, killSuidGid: false })),
        )
      case 'chown': {
        const changes = { uid: s.uid, gid: s.gid, killSuidGid: false }
        return d.at(s.path, async ({ ino }) => void (await vfs.setAttributes(ino, changes)))
      }
      case 'utimes': {
        const times = { atime: { sec: s.atime, nsec: 5 }, mtime: { sec: s.mtime, nsec: 999_999_999 } }
        return d.at(s.path, async ({ ino }) => void (await vfs.setAttributes(ino, { ...times, killSuidGid: false })))
      }
      case 'setXattr': {
        const flags = { create: false, replace: false }
        return d.at(s.path, ({ ino }) => vfs.setXattr(ino, bytes(s.name), Buffer.from(s.value), flags, d.context()))
      }
      case 'removeXattr':
        return d.at(s.path, ({ ino }) => vfs.removeXattr(ino, bytes(s.name), d.context()))
      case 'copy':
        return d.at(s.from, (source) =>
          d.at(s.path, (target) => {
            for (const { mode } of [source, target]) expectFile(mode)
            return d.copy(source.ino, target.ino, s, () => this.publishOldest())
          }),
        )
      case 'hold':
        return d.at(s.path, async ({ ino, mode }) => {
          expectFile(mode)
          const inode = this.model.find(s.path)
          this.held.push({ ino, inode, fh: (await vfs.open(ino, { ...READ_WRITE })).fh })
        })
      case 'useHeld': {
        const one = this.held[0]
        if (one === undefined) return
        await vfs.write(one.ino, one.fh, s.offset, this.data(s.size), NO_KILL)
        const all = await d.content(one.ino)
        this.model.write(one.inode, s.offset, this.data(s.size), false)
        assert.ok(all.equals(one.inode.bytes), 'a held file reads as it was written')
        return
      }
      case 'letGo': {
        const one = this.held.shift()
        if (one !== undefined) vfs.release(one.ino, one.fh)
        return
      }
      case 'nameless':
        return this.nameless(s)
      case 'sync':
        return vfs.syncAll(d.context())
      case 'cut': {
        const tree = await dumpTree(ledger, this.hosts)
        const cut = await ledger.cut()
        if (cut !== null) this.cuts.push({ epoch: cut.epoch, tree })
        return
      }
      case 'publish':
        return this.publishOldest()
    }
  }

  private async nameless(s: Step & { do: 'nameless' }): Promise<void> {
    const { vfs } = this.driver
    const { ino, fh } = await this.driver.nameless(this.data(s.size))
    try {
      const { to } = s
      if (to === null) return
      await this.driver.in(to, async (parent, name) => {
        await vfs.link(ino, parent, name)
        vfs.forget(ino, 1)
      })
    } finally {
      vfs.release(ino, fh)
      vfs.forget(ino, 1)
    }
  }

  async publishOldest(): Promise<void> {
    const { ledger } = this.driver
    const [oldest] = await ledger.pendingEpochs()
    if (oldest === undefined) return
    const { operations } = await prepare(ledger, oldest, this.hosts)
    await this.replica.applyBatch(operations, oldest.epoch, nextHead())
    await publish(ledger, oldest.epoch)
    const tree = this.cuts.find((one) => one.epoch === oldest.epoch)?.tree
    assert.deepEqual(await dumpTree(this.replica, this.hosts), tree, 'the replica has the tree of the cut')
  }

  /** The tree as the vfs shows it equals the reference. */
  async compare(): Promise<void> {
    const shown = await dumpTree(this.driver.ledger, this.hosts)
    const paths: string[] = []
    const walk = async (inode: RefInode, at: readonly string[]): Promise<void> => {
      const key = at.map((name) => `/${name}`).join('')
      paths.push(key)
      const entry = shown.get(key) as Record<string, unknown> | undefined
      assert.ok(entry, `${key} is missing`)
      const ns = (time: unknown) => (time as { sec: number; nsec: number }).sec * 1e9 + (time as { nsec: number }).nsec
      const real = {
        ...pick(entry, ['mode', 'nlink', 'uid', 'gid', 'blocks']),
        xattrs: entry.xattrs,
        target: entry.target,
      }
      const times = { atime: ns(entry.atime), mtime: ns(entry.mtime), ctime: ns(entry.ctime) }
      assert.deepEqual({ ...real, ...times }, this.view(inode), key)
      if (inode.type === 'file') {
        const content = await this.driver.at(at, ({ ino }) => this.driver.content(ino))
        assert.ok(content.equals(inode.bytes), `${key} has other bytes`)
      }
      for (const [name, child] of inode.children) await walk(child, [...at, name])
    }
    await walk(this.model.root, [])
    assert.deepEqual([...shown.keys()].sort(), paths.sort())
  }

  private view(inode: RefInode): Record<string, unknown> {
    const { uid, gid, blocks, atime, mtime, ctime } = inode
    const xattrs = [...inode.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))
    const target = inode.type === 'link' ? inode.target : null
    const mode = TYPE_BITS[inode.type] | inode.mode
    return { mode, nlink: inode.links, uid, gid, blocks, xattrs, target, atime, mtime, ctime }
  }
}

const READ_WRITE = {
  ...{ read: true, write: true, append: false, truncate: false, exclusive: false, sync: false, direct: false },
  ...{ noAtime: false, killSuidGid: false },
}

function pick(from: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, from[name]]))
}

async function codeOf(work: () => Promise<void>): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (typeof code !== 'string' || code === 'ERR_ASSERTION') throw error
    return code
  }
}
