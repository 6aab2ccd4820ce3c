/**
 * How often the ledger was made durable, kept twice: in the ledger, by the very commit that is synced, and behind it in a file beside it
 * (docs/adr/0014-a-ledger-that-went-back.md). A ledger that says less than the file has lost what was durable: its log was
 * removed or cut, or an older file was put in its place. The ledger then no longer writes the file: who heals it sets both aside.
 *
 * The file is never ahead of what is durable, so no crash and no loss of power makes it say so. It may stay behind, or be missing,
 * or have no room: then it says nothing. It is not synced: an fsync of the ledger costs one small write more.
 *
 *   0  8  the number, big-endian       7:  00 00 00 00 00 00 00 07
 *   8  8  the same, each bit turned        ff ff ff ff ff ff ff f8
 */
import fs from 'node:fs'

export const SYNCS_KEY = 'ledger.syncs'
const COUNT_BYTES = 8
const FILE_BYTES = 2 * COUNT_BYTES
const ALL_BITS = 0xffff_ffff_ffff_ffffn

export function syncCountFile(ledgerFile: string): string {
  return `${ledgerFile}-synced`
}

export function encodeSyncs(syncs: number): Buffer {
  const bytes = Buffer.alloc(COUNT_BYTES)
  bytes.writeBigUInt64BE(BigInt(syncs))
  return bytes
}

/** Of the ledger's own row; none: a ledger that is new, or of a release that did not count. */
export function decodeSyncs(bytes: Buffer | null | undefined): number {
  return bytes?.length === COUNT_BYTES ? Number(bytes.readBigUInt64BE()) : 0
}

/** What the file says; 0 when it says nothing. */
export function readSyncs(ledgerFile: string): number {
  let fd: number
  try {
    fd = fs.openSync(syncCountFile(ledgerFile), fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch {
    return 0
  }
  try {
    const bytes = Buffer.alloc(FILE_BYTES)
    if (fs.readSync(fd, bytes, 0, FILE_BYTES, 0) !== FILE_BYTES) return 0
    const number = bytes.readBigUInt64BE()
    const isWhole = (number ^ bytes.readBigUInt64BE(COUNT_BYTES)) === ALL_BITS
    return isWhole && number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : 0
  } catch {
    return 0
  } finally {
    fs.closeSync(fd)
  }
}

export class SyncCount {
  private readonly file: string
  /** Of the last sync. */
  private count: number
  readonly isBehind: boolean

  /** `saved`: what the ledger says as it was found. */
  constructor(ledgerFile: string, saved: number) {
    this.file = syncCountFile(ledgerFile)
    this.count = saved
    this.isBehind = saved < readSyncs(ledgerFile)
  }

  /** To be written by the commit that is synced next. */
  get next(): number {
    // Else it would catch up with the file, and nobody would know any more.
    return this.isBehind ? this.count : this.count + 1
  }

  /** `next` is durable. */
  synced(): void {
    this.count = this.next
    if (this.isBehind) return
    const turned = encodeSyncs(this.count).map((byte) => byte ^ 0xff)
    try {
      writeInPlace(this.file, Buffer.concat([encodeSyncs(this.count), turned]))
    } catch {
      // A full disk, say: it stays behind, and says less than it could.
    }
  }
}

/** Opened each time: an open file would be one more thing to end, and this costs some 30 us of the 600 that
 *  the sync before it takes. */
function writeInPlace(file: string, bytes: Buffer): void {
  const fd = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_NONBLOCK, 0o600)
  try {
    fs.writeSync(fd, bytes, 0, bytes.length, 0)
  } finally {
    fs.closeSync(fd)
  }
}
