/**
 * A file at the root of a drive that cannot be written, for the person who wonders why: it is there as long as there is something to
 * say, is read only, and is nobody's inode in the ledger. A real file of its name is shown in its place.
 */
import type * as fs from '../fuse/filesystem.js'
import { ROOT_INO } from './inode-table.js'

export const NOTICE_NAME = Buffer.from('THIS DRIVE IS READ-ONLY.txt')
/** Far beyond the numbers that a ledger gives: the last one but one that is exact. */
export const NOTICE_INO = Number.MAX_SAFE_INTEGER - 1
/** Behind every name of a listing. */
export const NOTICE_COOKIE = Number.MAX_SAFE_INTEGER - 1
/** Handles begin at 1. */
export const NOTICE_HANDLE = 0

const S_IFREG = 0o100000
const BLOCK_BYTES = 512

export interface NoticeSource {
  /** null: nothing to say. */
  text(): { readonly text: string; readonly since: fs.Timestamp } | null
}

export class Notice {
  private readonly source: NoticeSource | undefined

  constructor(source: NoticeSource | undefined) {
    this.source = source
  }

  isName(parent: number, name: Buffer): boolean {
    return parent === ROOT_INO && name.equals(NOTICE_NAME)
  }

  /** Who owns the root owns it. */
  attributes(root: Pick<fs.Attributes, 'uid' | 'gid'>): fs.Attributes | null {
    const notice = this.source?.text() ?? null
    if (notice === null) return null
    const size = Buffer.byteLength(notice.text)
    const time = { atime: notice.since, mtime: notice.since, ctime: notice.since }
    const mode = S_IFREG | 0o444
    const blocks = Math.ceil(size / BLOCK_BYTES)
    return {
      ino: NOTICE_INO,
      mode,
      nlink: 1,
      uid: root.uid,
      gid: root.gid,
      rdev: 0,
      size,
      blocks,
      ...time,
      volatile: true,
    }
  }

  read(offset: number, size: number): Buffer {
    return Buffer.from(this.source?.text()?.text ?? '').subarray(offset, offset + size)
  }
}
