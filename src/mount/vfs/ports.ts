/** What the vfs needs of others. They conform; app/ connects. */

import type { SegmentId } from '../../model/ids.js'

/** Bytes of files, wherever they lie. */
export interface Reader {
  /** In order, together `size` bytes, less only at the end of the file. */
  read(ino: number, offset: number, size: number, signal: AbortSignal): Promise<Buffer[]>
  /** The last handle of a file is gone: forget where it was read. */
  forget?(ino: number): void
}

/** Plain bytes that the network offers this drive, by the bridge's last answer. Answers at once. */
export interface SpaceSource {
  /** null: never heard of the bridge. */
  space(): { readonly totalBytes: number; readonly freeBytes: number } | null
}

export interface Durability {
  /** Resolves when everything written so far is on hosts (mount option --fsync=stored). */
  stored(signal: AbortSignal): Promise<void>
}

export interface Health {
  /** One line for user.shardrive.health, at once. */
  describe(segments: readonly SegmentId[]): string
}

/** What this device keeps here. */
export interface Pins {
  /** By itself or by a folder above it. Answers at once. */
  isPinned(ino: number): boolean
  /** `no-space`, `not-supported`. Waits for no network. */
  pin(ino: number): Promise<void>
  /** `not-permitted`: a folder above it is pinned. */
  unpin(ino: number): Promise<void>
}

/** What a kernel may remember that is not so any more. */
export interface Outdated {
  readonly inodes: readonly number[]
  readonly names: readonly { readonly parent: number; readonly name: Buffer }[]
}
