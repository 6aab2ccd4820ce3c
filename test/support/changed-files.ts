/**
 * Files that are written, written over, cut, grown, holed and renamed by chance, and what each of them must hold. Every
 * write has a seed of its own, so a byte tells which write it is of and where it belongs.
 */
import type { OpenFlags, RequestContext } from '../../src/mount/fuse/filesystem.js'
import type { Vfs } from '../../src/mount/vfs/vfs.js'
import type { Dice } from './dice.js'
import { rampRange } from './ramp.js'

export interface ExpectedFile {
  name: string
  bytes: Buffer
}

const ROOT_INO = 1
const FLAGS: OpenFlags = {
  ...{ read: true, write: true, append: false, truncate: false, exclusive: false, sync: false, direct: false },
  ...{ noAtime: false, killSuidGid: false },
}
const PLAIN = { append: false, killSuidGid: false }
const ALLOCATE = { keepSize: false, punchHole: false, zeroRange: false, killSuidGid: false }
const WRITE_BYTES_MAX = 1_048_576
/** Larger files do not grow any more. */
const FILE_BYTES_MAX = 6_000_000

export class ChangedFiles {
  readonly files: ExpectedFile[] = []
  private readonly dice: Dice
  private lastSeed = 0
  private lastName = 0

  constructor(dice: Dice) {
    this.dice = dice
  }

  /** Many that share a segment. */
  async makeSmall(vfs: Vfs, count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      const one = await this.make(vfs)
      await this.write(vfs, one, 0, this.dice.roll(1, this.dice.pick([100, 5_000, 70_000])))
    }
  }

  /** Of several segments, and with holes and patches all over. */
  async makeLarge(vfs: Vfs, bytes: number): Promise<void> {
    const one = await this.make(vfs)
    await this.write(vfs, one, 0, bytes)
    for (let at = 0; at < 10; at++) await this.change(vfs, one)
  }

  async changeSome(vfs: Vfs, count: number): Promise<void> {
    for (let at = 0; at < count; at++) await this.change(vfs, this.dice.pick(this.files))
  }

  private async make(vfs: Vfs): Promise<ExpectedFile> {
    const one = { name: `f${this.lastName++}`, bytes: Buffer.alloc(0) }
    const made = await vfs.create(ROOT_INO, Buffer.from(one.name), 0o644, FLAGS, context())
    vfs.release(made.attributes.ino, made.fh)
    vfs.forget(made.attributes.ino, 1)
    this.files.push(one)
    return one
  }

  private async change(vfs: Vfs, one: ExpectedFile): Promise<void> {
    const { dice } = this
    const size = one.bytes.length
    const from = dice.roll(0, size)
    const some = dice.roll(1, dice.pick([10, 4_096, 100_000]))
    switch (dice.roll(0, 7)) {
      case 0:
        return this.resize(vfs, one, from)
      case 1:
        return this.resize(vfs, one, Math.min(FILE_BYTES_MAX, size + some))
      case 2:
        return this.empty(vfs, one, from, some)
      case 3:
        // Beyond the end: a hole, then bytes.
        return this.write(vfs, one, Math.min(FILE_BYTES_MAX, size + some), dice.roll(1, 5_000))
      case 4:
        return this.rename(vfs, one)
      default:
        return this.write(vfs, one, Math.min(FILE_BYTES_MAX, from), some)
    }
  }

  private async write(vfs: Vfs, one: ExpectedFile, offset: number, length: number): Promise<void> {
    const bytes = rampRange(++this.lastSeed, offset, length)
    await withOpen(vfs, one.name, async (ino, fh) => {
      for (let at = 0; at < length; at += WRITE_BYTES_MAX) {
        await vfs.write(ino, fh, offset + at, bytes.subarray(at, at + WRITE_BYTES_MAX), PLAIN)
      }
    })
    one.bytes = grown(one.bytes, offset + length)
    bytes.copy(one.bytes, offset)
  }

  private async resize(vfs: Vfs, one: ExpectedFile, size: number): Promise<void> {
    await withOpen(vfs, one.name, (ino) => vfs.setAttributes(ino, { size, killSuidGid: false }))
    one.bytes = size < one.bytes.length ? Buffer.from(one.bytes.subarray(0, size)) : grown(one.bytes, size)
  }

  /** A hole, or zeros that are reserved: nothing but zeros to a reader. */
  private async empty(vfs: Vfs, one: ExpectedFile, offset: number, length: number): Promise<void> {
    const flags = this.dice.pick([
      { ...ALLOCATE, punchHole: true, keepSize: true },
      { ...ALLOCATE, zeroRange: true, keepSize: true },
    ])
    await withOpen(vfs, one.name, (ino, fh) => vfs.allocate(ino, fh, offset, length, flags))
    one.bytes.fill(0, offset, Math.min(one.bytes.length, offset + length))
  }

  /** Sometimes over another file, which is gone then. */
  private async rename(vfs: Vfs, one: ExpectedFile): Promise<void> {
    const victim = this.dice.roll(0, 3) === 0 ? this.dice.pick(this.files) : undefined
    if (victim === one) return
    const name = victim?.name ?? `f${this.lastName++}`
    const flags = { noReplace: false, exchange: false }
    await vfs.rename(ROOT_INO, Buffer.from(one.name), ROOT_INO, Buffer.from(name), flags)
    if (victim !== undefined) this.files.splice(this.files.indexOf(victim), 1)
    one.name = name
  }
}

function grown(bytes: Buffer, size: number): Buffer {
  return size <= bytes.length ? Buffer.from(bytes) : Buffer.concat([bytes], size)
}

export async function withOpen<T>(
  vfs: Vfs,
  name: string,
  work: (ino: number, fh: number) => T | Promise<T>,
): Promise<T> {
  const found = await vfs.lookup(ROOT_INO, Buffer.from(name))
  if (found === null) throw new Error(`no such name: ${name}`)
  const { fh } = await vfs.open(found.ino, { ...FLAGS, write: false })
  try {
    return await work(found.ino, fh)
  } finally {
    vfs.release(found.ino, fh)
    vfs.forget(found.ino, 1)
  }
}

export function context(signal = new AbortController().signal): RequestContext {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 1, signal }
}
