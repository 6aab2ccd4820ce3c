/** A batch with one operation of every kind that an epoch may hold, on files and names of its own. */
import { type FileId, fileId, ROOT_FILE } from '../../src/model/ids.js'
import type { SegmentInfo } from '../../src/model/segment.js'
import { KIND, type Operation } from '../../src/mount/metadata/operations.js'
import { layoutOf } from '../../src/segment/layout.js'

const SEGMENT: SegmentInfo = {
  ...{ segment: 'c5'.repeat(32) as SegmentInfo['segment'], root: Buffer.alloc(32, 6) },
  ...{ dataShards: 1, totalShards: 3, keyTerm: 1, plainLength: 5_000 },
  paddedLength: layoutOf({ plainLength: 5_000, dataShards: 1 }).paddedLength,
  shardLength: layoutOf({ plainLength: 5_000, dataShards: 1 }).shardLength,
}
const time = { sec: 1_700_000_000, nsec: 7 }

export function makeOperation(id: FileId, parent: FileId, name: Buffer, mode = 0o100644): Operation {
  const rest = { uid: 1, gid: 2, rdev: 0, time, target: Buffer.alloc(0) }
  return { kind: KIND.make, file: id, parent, name, mode, ...rest }
}

/** `number` tells one batch from another; `secret`: a name that begins its names. */
export function wholeTree(number: number, secret = Buffer.alloc(0)): Operation[] {
  const file = (n: number) => fileId(Buffer.from(`${n}`.padEnd(8, '.') + `${number}`.padStart(8, '.')))
  const inRoot = (text: string) => Buffer.concat([secret, Buffer.from(`${text}${number}`)])
  const name = (text: string) => Buffer.from(text)
  return [
    makeOperation(file(1), ROOT_FILE, inRoot('d'), 0o040755),
    makeOperation(file(2), file(1), name('f')),
    makeOperation(file(3), file(1), name('g')),
    { kind: KIND.segment, info: SEGMENT },
    { kind: KIND.extent, file: file(2), offset: 0, length: 5_000, segment: SEGMENT.segment, segmentOffset: 0 },
    { kind: KIND.attributes, file: file(2), size: 5_000, mtime: time, mode: 0o600, uid: 5 },
    { kind: KIND.hole, file: file(2), offset: 100, length: 200 },
    { kind: KIND.allocate, file: file(3), offset: 0, length: 10_000 },
    { kind: KIND.link, file: file(2), parent: ROOT_FILE, name: inRoot('hard'), time },
    { kind: KIND.setXattr, file: file(2), name: name('user.x'), value: name('y'), time },
    { kind: KIND.removeXattr, file: file(2), name: name('user.x'), time },
    {
      ...{ kind: KIND.rename, parent: file(1), name: name('g'), newParent: ROOT_FILE, newName: inRoot('h') },
      ...{ exchange: false, time },
    },
    { kind: KIND.unlink, parent: ROOT_FILE, name: inRoot('h'), time },
    { kind: KIND.reap, file: file(3) },
  ]
}
