/** What disks, people and bad luck do to a ledger: each kind of damage, on a folder that no drive runs in. */
import fs from 'node:fs'
import path from 'node:path'
import { PAGE_BYTES } from '../../src/mount/metadata/database.js'
import { encodeSyncs, syncCountFile } from '../../src/mount/metadata/sync-count.js'
import type { Dice } from './dice.js'
import { noiseBytes } from './noise.js'

const HEADER_BYTES = 100
/** First byte of a page of a tree. */
const PAGE_KINDS: Record<number, string> = {
  2: 'index interior',
  5: 'table interior',
  10: 'index leaf',
  13: 'table leaf',
}
const WAL_HEADER_BYTES = 32

const ledgerOf = (state: string) => path.join(state, 'ledger.db')

function change(file: string, work: (bytes: Buffer) => void): void {
  const bytes = fs.readFileSync(file)
  work(bytes)
  fs.writeFileSync(file, bytes)
}

/** Numbers of pages (from 0) by their kind. */
export function pagesByKind(state: string): Map<string, number[]> {
  const bytes = fs.readFileSync(ledgerOf(state))
  const found = new Map<string, number[]>()
  for (let page = 1; page * PAGE_BYTES < bytes.length; page++) {
    const kind = PAGE_KINDS[bytes[page * PAGE_BYTES] as number] ?? 'other'
    found.set(kind, [...(found.get(kind) ?? []), page])
  }
  return found
}

export function spoilPage(state: string, page: number, how: 'zeros' | 'noise' | 'torn'): void {
  change(ledgerOf(state), (bytes) => {
    const place = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
    if (how === 'zeros') place.fill(0)
    else if (how === 'noise') noiseBytes(page, place.length).copy(place)
    else place.fill(0xff, place.length / 2)
  })
}

export type Damage = [name: string, inject: (state: string, dice: Dice) => void]

/** Of the file as a whole; pages are spoiltPages(). */
export const FILE_DAMAGES: readonly Damage[] = [
  ['the magic of the header flipped', (state) => change(ledgerOf(state), (bytes) => void bytes.writeUInt8(0, 3))],
  ['the first page is zeros', (state) => spoilPage(state, 0, 'zeros')],
  [
    'the schema is noise',
    (state) =>
      change(ledgerOf(state), (bytes) => void noiseBytes(3, PAGE_BYTES - HEADER_BYTES).copy(bytes, HEADER_BYTES)),
  ],
  [
    'cut off in the middle',
    (state) => fs.truncateSync(ledgerOf(state), Math.floor(fs.statSync(ledgerOf(state)).size / 2)),
  ],
  ['cut off within the first page', (state) => fs.truncateSync(ledgerOf(state), 1_000)],
  ['cut off to nothing', (state) => fs.truncateSync(ledgerOf(state), 0)],
  ['replaced by noise', (state) => fs.writeFileSync(ledgerOf(state), noiseBytes(9, 300_000))],
  ['replaced by text', (state) => fs.writeFileSync(ledgerOf(state), 'not what you are looking for\n'.repeat(99))],
  ['removed', (state) => fs.rmSync(ledgerOf(state))],
]

/** One page of each kind that there is. */
export function spoiltPages(state: string, dice: Dice): Damage[] {
  return [...pagesByKind(state)].map(([kind, pages]) => {
    const page = dice.pick(pages)
    const how = dice.pick(['zeros', 'noise', 'torn'] as const)
    return [`${kind} page ${page}: ${how}`, (place: string) => spoilPage(place, page, how)]
  })
}

/** Of the log of a drive that was killed. */
export const LOG_DAMAGES: readonly Damage[] = [
  [
    'a byte in the middle of the log flipped',
    (state) =>
      change(`${ledgerOf(state)}-wal`, (bytes) => {
        const at = Math.floor(bytes.length / 2)
        bytes[at] = (bytes[at] as number) ^ 0xff
      }),
  ],
  [
    'the header of the log is noise',
    (state) => change(`${ledgerOf(state)}-wal`, (bytes) => void noiseBytes(5, WAL_HEADER_BYTES).copy(bytes)),
  ],
  ['the log is removed', (state) => fs.rmSync(`${ledgerOf(state)}-wal`)],
  [
    'the log is cut in the middle',
    (state) => fs.truncateSync(`${ledgerOf(state)}-wal`, Math.floor(fs.statSync(`${ledgerOf(state)}-wal`).size / 2)),
  ],
]

export const DATABASE_GONE: Damage = ['the database is gone, its log is not', (state) => fs.rmSync(ledgerOf(state))]

/** A program that does not count has put this ledger in the place of one that was counted: nothing of it is missing. */
export const COUNT_OF_ANOTHER: Damage = [
  'the count of another ledger',
  (state) => {
    const count = encodeSyncs(1_000_000)
    fs.writeFileSync(syncCountFile(ledgerOf(state)), Buffer.concat([count, count.map((byte) => byte ^ 0xff)]))
  },
]
