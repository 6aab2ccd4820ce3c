/**
 * The bridge's marks: the newest that it told is kept and shown to it with every report. A bridge whose books were put back does
 * not know it, and begins a new incarnation (docs/adr/0012-a-bridge-that-lost-its-books.md).
 */
import { AppError } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import type { BridgeId } from '../../model/ids.js'
import { decodeMark, verifyMark } from '../../permits/bridge-mark.js'
import type { Kept } from '../ledger/kept.js'

export class BridgeMarks {
  private readonly parts: { bridge: BridgeId; kept: Kept; log: Log }
  private newest: Buffer | null

  constructor(parts: { bridge: BridgeId; kept: Kept; log: Log }) {
    this.parts = parts
    this.newest = parts.kept.loadMark()
  }

  /** For a report, hex. */
  shown(): { mark?: string } {
    return this.newest === null ? {} : { mark: this.newest.toString('hex') }
  }

  /** The newer one is kept: what a bridge says that was put back does not cover what it said before. */
  keep(told: string | undefined): void {
    if (told === undefined) return
    const { bridge, kept, log } = this.parts
    const bytes = Buffer.from(told, 'hex')
    try {
      const mark = verifyMark(bytes, bridge)
      const before = this.newest === null ? null : decodeMark(this.newest)
      if (before !== null && before.incarnation > mark.incarnation) return
      if (before !== null && before.incarnation === mark.incarnation && before.tick >= mark.tick) return
      kept.saveMark(bytes)
      this.newest = bytes
    } catch (error) {
      // Not its own, or a full disk: the one before still says something.
      if (!(error instanceof AppError)) throw error
      log.warn({ code: error.code }, 'a mark of the bridge was not kept')
    }
  }
}
