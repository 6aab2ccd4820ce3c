/** A segment's plain bytes as the units that a reader would open: for the cache, before they are forgotten here. */
import { type SegmentInfo, UNIT_BYTES } from '../../model/segment.js'
import { layoutOf } from '../../segment/layout.js'
import { unitPlace } from '../../segment/offsets.js'

/** Padding included. Views of the rows where a unit lies in one of them. */
export function* plainUnits(info: SegmentInfo, rows: readonly Buffer[]): Generator<{ unit: number; bytes: Buffer }> {
  const layout = layoutOf(info)
  const plain = new Run([...rows, Buffer.alloc(info.paddedLength - info.plainLength)])
  for (let unit = 0; unit < layout.unitCount; unit++) {
    const { offsetInSegment, sealedLength } = unitPlace(layout, unit)
    const length = Math.min(UNIT_BYTES, sealedLength, info.paddedLength - offsetInSegment)
    if (length > 0) yield { unit, bytes: plain.take(offsetInSegment, length) }
  }
}

/** Buffers one behind the other, read from front to back. */
class Run {
  private readonly parts: readonly Buffer[]
  private at = 0
  private start = 0

  constructor(parts: readonly Buffer[]) {
    this.parts = parts
  }

  take(offset: number, length: number): Buffer {
    const found: Buffer[] = []
    for (let from = offset; from < offset + length; ) {
      const part = this.parts[this.at] as Buffer
      const slice = part.subarray(from - this.start, offset + length - this.start)
      found.push(slice)
      from += slice.length
      if (from === this.start + part.length) {
        this.start = from
        this.at++
      }
    }
    return found.length === 1 ? (found[0] as Buffer) : Buffer.concat(found)
  }
}
