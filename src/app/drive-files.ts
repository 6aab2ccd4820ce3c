/** The file system of a drive, composed: staging, vfs, what it is told of space, health and durability. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { MountedDoor } from '../mount/fuse/door.js'
import { KernelNews } from '../mount/fuse/kernel-news.js'
import type { BatchChanges } from '../mount/metadata/batch-changes.js'
import { ROOT_INO } from '../mount/vfs/inode-table.js'
import { NOTICE_NAME, type NoticeSource } from '../mount/vfs/notice.js'
import type { Pins } from '../mount/vfs/ports.js'
import { Vfs } from '../mount/vfs/vfs.js'
import { Staging } from '../mount/writer/staging.js'
import { StagingSpace } from '../mount/writer/staging-space.js'
import type { DriveNetwork } from './drive-network.js'
import type { DriveStorage } from './drive-storage.js'
import { KnownHealth } from './known-health.js'

export interface FileSystemOptions {
  pins: Pins
  clock: Clock
  log: Log
  fsyncStored: boolean
  notice: NoticeSource
  uid?: number
  gid?: number
}

export interface DriveFileSystem {
  start(): Promise<Vfs>
  /** The tree changed behind its users: they hear of it. Resolves when more may be told. */
  changed(changes: BatchChanges): Promise<void>
  /** Another thing is to be said at the root of the drive, or nothing any more. */
  noticeChanged(): void
  /** What shows it. */
  showOn(door: MountedDoor): void
  useDurability(stored: (signal: AbortSignal) => Promise<void>): void
  refreshSpace(): Promise<void>
}

export async function openFileSystem(
  storage: DriveStorage,
  network: DriveNetwork,
  options: FileSystemOptions,
): Promise<DriveFileSystem> {
  const { ledger, reader } = storage
  const { clock, log } = options
  const space = new StagingSpace({ room: () => ledger.room(), monotonicMs: () => clock.monotonicMs() })
  let vfs: Vfs | null = null
  const staging = new Staging({ ledger, space, written: (ino, writes, result) => vfs?.written(ino, writes, result) })
  ledger.beforeCalls(() => staging.flush())
  let offered: { totalBytes: number; freeBytes: number } | null = null
  let storeAll: (signal: AbortSignal) => Promise<void> = async () => {}
  const refreshSpace = async () => {
    try {
      const { totalBytes, freeBytes } = await network.client.space({ timeoutMs: 5_000 })
      offered = { totalBytes, freeBytes }
    } catch (error) {
      if (!(error instanceof AppError)) throw error
    }
  }
  const start = async () => {
    await refreshSpace()
    const owner = { uid: options.uid ?? process.getuid?.() ?? 0, gid: options.gid ?? process.getgid?.() ?? 0 }
    const health = new KnownHealth({ ask: () => network.health(), clock })
    health.refresh()
    vfs = await Vfs.start(
      {
        ledger,
        staging,
        reader,
        clock,
        log,
        space: { space: () => offered },
        notice: options.notice,
        pins: options.pins,
        health,
        ...(options.fsyncStored ? { durability: { stored: (signal: AbortSignal) => storeAll(signal) } } : {}),
      },
      owner,
    )
    return vfs
  }
  let kernel: KernelNews | null = null
  const showOn = (door: MountedDoor) => {
    kernel = new KernelNews(door, log)
  }
  const changed = async (changes: BatchChanges) => {
    const news = vfs?.changedBehind(changes)
    if (news !== undefined) await kernel?.tell(news)
  }
  const noticeChanged = () => {
    // Nobody waits for it: there is always room for one name.
    void kernel?.tell({ inodes: [ROOT_INO], names: [{ parent: ROOT_INO, name: NOTICE_NAME }] })
  }
  const useDurability = (stored: (signal: AbortSignal) => Promise<void>) => {
    storeAll = stored
  }
  return { start, changed, noticeChanged, showOn, refreshSpace, useDurability }
}
