import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { assert } from '../../base/assert.js'
import { failpoint } from '../../base/failpoint.js'
import { explained } from '../../base/folders.js'

/**
 * Chain records of a recovery, on disk instead of in memory: the chain is verified from its start, but only what comes
 * behind the snapshot is applied, and which snapshot that is shows at the end. The pieces of a snapshot rest here too while
 * they are fetched: as readable as the ledger that they are for. Removed by close().
 */
export class RecordSpool {
  private readonly path: string
  private readonly fd: number
  private readonly places: { offset: number; length: number }[] = []
  private end = 0

  constructor(path: string) {
    this.path = path
    this.fd = explained(dirname(path), () => openSync(path, 'w+', 0o600))
  }

  /** Number of the record in this spool. `no-space`, `state-unwritable`; the spool is as before then. */
  add(encoded: Buffer): number {
    let done = 0
    explained(dirname(this.path), () => {
      while (done < encoded.length) {
        done += writeSync(this.fd, encoded, done, encoded.length - done, this.end + done)
      }
    })
    failpoint('mount.spool.written')
    this.places.push({ offset: this.end, length: encoded.length })
    this.end += encoded.length
    return this.places.length - 1
  }

  read(number: number): Buffer {
    const place = this.places[number]
    assert(place !== undefined, 'a record of the spool')
    const encoded = Buffer.alloc(place.length)
    assert(readSync(this.fd, encoded, 0, place.length, place.offset) === place.length, 'a record is read whole')
    return encoded
  }

  /** Everything from this number on goes. */
  cutTo(count: number): void {
    const first = this.places[count]
    if (first === undefined) return
    this.end = first.offset
    this.places.length = count
    ftruncateSync(this.fd, this.end)
  }

  get count(): number {
    return this.places.length
  }

  close(): void {
    closeSync(this.fd)
    rmSync(this.path, { force: true })
  }
}
