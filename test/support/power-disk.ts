/**
 * A disk that loses power: it is told the records of a process in order, and builds a folder as it could look if the power went now. What
 * was synced is there. Of the writes to a file since its last sync there may be all, none, some, or some of their sectors; of the names
 * that were made, moved or removed in a folder since its last sync there may be the first few. No file system promises more, and none
 * that is in use keeps less.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Dice } from './dice.js'
import type { PowerRecord } from './power-log.js'

export type Loss = 'nothing' | 'everything' | 'some' | 'torn 512' | 'torn 4096'
export const LOSSES: readonly Loss[] = ['nothing', 'everything', 'some', 'torn 512', 'torn 4096']

interface Content {
  /** As of the last sync. */
  bytes: Buffer
  size: number
  since: PowerRecord[]
}

const FOLDER = -1
/** Numbers of files that were there at the beginning; those of a recorder are smaller. */
const FOUND_FROM = 1_000_000

export class PowerDisk {
  private readonly contents = new Map<number, Content>()
  /** Paths that are there whatever happens, with the number of their file. */
  private readonly names = new Map<string, number>()
  /** What a recorder calls a file that was there at the beginning. */
  private readonly foundAs = new Map<number, number>()
  /** Of each folder. */
  private readonly namesSince = new Map<string, PowerRecord[]>()

  /** `base`: the folder as it was when the recording began. */
  constructor(base: string) {
    for (const entry of fs.readdirSync(base, { withFileTypes: true, recursive: true })) {
      const name = path.relative(base, path.join(entry.parentPath, entry.name))
      const file = entry.isDirectory() ? FOLDER : FOUND_FROM + this.names.size
      this.names.set(name, file)
      if (file !== FOLDER) this.contents.set(file, contentOf(fs.readFileSync(path.join(base, name))))
    }
  }

  /** `isLie`: a sync that did nothing, as of a disk that lies; for proving that it is found out. */
  take(record: PowerRecord, isLie = false): void {
    switch (record.kind) {
      case 'found':
        this.foundAs.set(record.file, this.names.get(record.name) as number)
        return
      case 'create':
        this.contents.set(record.file, contentOf(Buffer.alloc(0)))
        this.note(record)
        return
      case 'write':
      case 'truncate':
        this.contentsOf(record.file).since.push(record)
        return
      case 'sync': {
        const content = this.contentsOf(record.file)
        if (isLie) return
        for (const one of content.since) change(content, one)
        content.since = []
        return
      }
      case 'sync-folder':
        for (const one of this.namesSince.get(record.name) ?? []) rename(this.names, one)
        this.namesSince.delete(record.name)
        return
      default:
        this.note(record)
    }
  }

  /** Makes `folder`. */
  build(folder: string, loss: Loss, dice: Dice): void {
    fs.mkdirSync(folder, { mode: 0o700 })
    for (const [name, file] of this.namesAfter(loss, dice)) {
      const place = path.join(folder, name)
      if (file === FOLDER) fs.mkdirSync(place, { recursive: true, mode: 0o700 })
      else if (fs.existsSync(path.dirname(place)))
        fs.writeFileSync(place, this.bytesAfter(file, loss, dice), { mode: 0o600 })
    }
  }

  private contentsOf(file: number): Content {
    return this.contents.get(this.foundAs.get(file) ?? file) as Content
  }

  private note(record: PowerRecord): void {
    const folder = path.dirname(record.name)
    this.namesSince.set(folder, [...(this.namesSince.get(folder) ?? []), record])
  }

  private namesAfter(loss: Loss, dice: Dice): [string, number][] {
    const names = new Map(this.names)
    for (const records of this.namesSince.values()) {
      const kept = loss === 'nothing' ? records.length : loss === 'everything' ? 0 : dice.roll(0, records.length)
      for (const one of records.slice(0, kept)) rename(names, one)
    }
    return [...names].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  private bytesAfter(file: number, loss: Loss, dice: Dice): Buffer {
    const known = this.contents.get(file) as Content
    // Long enough for all of it at once.
    const ends = known.since.map(({ kind, offset, bytes }) => (kind === 'truncate' ? offset : offset + bytes.length))
    const room = Buffer.allocUnsafeSlow(Math.max(known.size, ...ends))
    known.bytes.copy(room, 0, 0, known.size)
    room.fill(0, known.size)
    const content = { ...known, bytes: room }
    for (const record of known.since) {
      if (loss === 'nothing') change(content, record)
      else if (loss === 'everything') continue
      else if (loss === 'some' || record.kind === 'truncate') dice.roll(0, 1) === 1 && change(content, record)
      else
        for (const part of sectorsOf(record, loss === 'torn 512' ? 512 : 4_096))
          dice.roll(0, 1) === 1 && change(content, part)
    }
    return content.bytes.subarray(0, content.size)
  }
}

function contentOf(bytes: Buffer): Content {
  return { bytes, size: bytes.length, since: [] }
}

function rename(names: Map<string, number>, record: PowerRecord): void {
  const { kind, name, to, file } = record
  if (kind === 'create') names.set(name, file)
  else if (kind === 'mkdir') names.set(name, FOLDER)
  else if (kind === 'unlink' || kind === 'rmdir') names.delete(name)
  else if (kind === 'rename') {
    const moved = names.get(name)
    names.delete(name)
    if (moved !== undefined) names.set(to, moved)
  }
}

function change(content: Content, { kind, offset, bytes }: PowerRecord): void {
  const end = kind === 'truncate' ? offset : Math.max(content.size, offset + bytes.length)
  if (end > content.bytes.length) {
    const longer = Buffer.alloc(Math.max(end, 2 * content.bytes.length))
    content.bytes.copy(longer, 0, 0, content.size)
    content.bytes = longer
  }
  if (kind === 'truncate') content.bytes.fill(0, Math.min(end, content.size))
  else bytes.copy(content.bytes, offset)
  content.size = end
}

function* sectorsOf(record: PowerRecord, size: number): Generator<PowerRecord> {
  const end = record.offset + record.bytes.length
  for (let at = record.offset; at < end; ) {
    const next = Math.min(end, at - (at % size) + size)
    yield { ...record, offset: at, bytes: record.bytes.subarray(at - record.offset, next - record.offset) }
    at = next
  }
}
