/** The file system of a drive, composed: staging, vfs, what it is told of space, health and durability. */
import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { MountedDoor } from '../mount/fuse/door.js'
import type { BatchChanges } from '../mount/metadata/types.js'
import { Vfs } from '../mount/vfs/vfs.js'
import { Staging } from '../mount/writer/staging.js'
import { StagingSpace } from '../mount/writer/staging-space.js'
import type { DriveNetwork } from './drive-network.js'
import type { DriveStorage } from './drive-storage.js'
import { KnownHealth } from './known-health.js'

export interface FileSystemOptions {
  stateDir: string
  clock: Clock
  log: Log
  fsyncStored: boolean
  uid?: number
  gid?: number
}

export interface DriveFileSystem {
  start(): Promise<Vfs>
  changed(changes: BatchChanges, door: MountedDoor | null): void
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
  const space = new StagingSpace({
    folder: options.stateDir,
    reusableBytes: () => ledger.progress().reusableBytes,
    monotonicMs: () => clock.monotonicMs(),
  })
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
    vfs = await Vfs.start(
      {
        ledger,
        staging,
        reader,
        clock,
        log,
        space: { space: () => offered },
        health: new KnownHealth({ ask: () => network.health(), clock }),
        ...(options.fsyncStored ? { durability: { stored: (signal: AbortSignal) => storeAll(signal) } } : {}),
      },
      owner,
    )
    return vfs
  }
  const changed = (changes: BatchChanges, door: MountedDoor | null) => {
    vfs?.changedBehind(changes)
    if (door !== null) void tellKernel(changes, door, log)
  }
  const useDurability = (stored: (signal: AbortSignal) => Promise<void>) => {
    storeAll = stored
  }
  return { start, changed, refreshSpace, useDurability }
}

/**
 * Of every change: the kernel trusts what it knows for a day, and old bytes beside new ones are wrong bytes. One that it does
 * not take holds up no other.
 */
export async function tellKernel(
  changes: Pick<BatchChanges, 'inodes' | 'names'>,
  door: Pick<MountedDoor, 'invalidateInode' | 'invalidateEntry'>,
  log: Log,
): Promise<void> {
  let untold = 0
  const tell = async (telling: Promise<void>) => {
    await telling.catch((error: unknown) => {
      if (untold++ === 0) log.warn({ err: error }, 'the kernel was not told of a change')
    })
  }
  for (const ino of changes.inodes) await tell(door.invalidateInode(ino))
  for (const { parent, name } of changes.names) await tell(door.invalidateEntry(parent, name))
}
