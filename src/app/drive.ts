/**
 * A drive on this machine, from its state directory, without a door: lock, keys, network, ledger, chain (rebuilt from the network on a
 * new device), file system, upkeep. close() goes the other way.
 */

import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { failpoint } from '../base/failpoint.js'
import type { Log } from '../base/log.js'
import type { SecretBytes } from '../crypto/secret.js'
import { prepareStateDir } from '../mount/account/drive-files.js'
import { suspectLedger } from '../mount/account/set-aside.js'
import type { MountedDoor } from '../mount/fuse/door.js'
import { Pins } from '../mount/pins/pins.js'
import type { Vfs } from '../mount/vfs/vfs.js'
import { lockFolder } from '../sqlite/lock.js'
import { stopWithRoom } from './drive-end.js'
import { type DriveFileSystem, openFileSystem } from './drive-files.js'
import { finishHealing, openSoundStorage, watchSweep } from './drive-healing.js'
import { type DriveIdentity, openIdentity } from './drive-identity.js'
import { DriveNetwork } from './drive-network.js'
import { DriveNotice } from './drive-notice.js'
import { cacheLine, type DriveStorage, openStorage } from './drive-storage.js'
import { composeSync, type DriveSync, ensureChainState, loadHosts } from './drive-sync.js'
import { fullDiskOf } from './state-dir.js'
import type { Surroundings } from './surroundings.js'

export interface DriveOptions {
  stateDir: string
  passphrase: SecretBytes | null
  readOnly: boolean
  takeover: boolean
  fsyncStored: boolean
  /** Hosts see the address of a TURN server and never ours. */
  relayOnly?: boolean
  cacheBytes: number
  /** Read units in memory. */
  memoryBytes?: number
  uid?: number
  gid?: number
  /** A snapshot is made when so many bytes of operations lie behind the last one. */
  snapshotLogBytes?: number
  say(line: string): void
}

export interface DriveParts extends Surroundings {
  log: Log
}

export interface Drive {
  identity: DriveIdentity
  network: DriveNetwork
  storage: DriveStorage
  sync: DriveSync
  files: DriveFileSystem
  pins: Pins
  vfs: Vfs
  /** Who is told when another device's epochs change the tree. */
  showOn(door: MountedDoor): void
  /** Resolves when everything written so far is on hosts and in the chain. */
  storeAll(signal: AbortSignal): Promise<void>
  /** The last calls: ends files that were held open, publishes what is left while that is quick; answers the bytes that are not. */
  drain(): Promise<number>
  close(): Promise<void>
}

/** A mount that cannot reach its bridge comes up with what it knows after so long. */
const ONLINE_PATIENCE_MS = 8_000
/** At the end: what is not stored yet gets so long; the rest is stored by the next mount. */
const DRAIN_MS = 5_000
/** A first mount on a new device reads the drive's whole chain. */
const REBUILD_MS = 3_600_000
const LINE_EVERY_MS = 2_000

/** Undone last to first, whatever fails on the way. */
type Undo = (() => unknown)[]

export async function openDrive(options: DriveOptions, parts: DriveParts): Promise<Drive> {
  const undo: Undo = []
  try {
    return await open(options, parts, undo)
  } catch (error) {
    await undoAll(undo, parts.log)
    throw fullDiskOf(options.stateDir, error)
  }
}

async function open(options: DriveOptions, parts: DriveParts, undo: Undo): Promise<Drive> {
  const { clock, random, log } = parts
  const ground = await openGround(options, parts, undo)
  const { identity, network, storage, pins, fileSystem, state, isRebuilt, isRolledBack } = ground
  const told = { onChanges: tellChanges(pins, fileSystem), onPublished: () => pins.treeChanged() }
  const syncParts = { identity, network, storage, clock, random, log, ...told }
  const sync = composeSync(state, syncParts, { ...options, isRebuilt })
  const storeAll = (signal: AbortSignal) => storeEverything(storage, sync, signal)
  fileSystem.useDurability(storeAll)
  if (isRolledBack) sync.upkeep.distrustBridge(rolledBack())
  await sync.upkeep.start(ONLINE_PATIENCE_MS)
  undo.push(() => sync.upkeep.stop())
  failpoint('mount.start.online')
  network.peers.warm(await loadHosts(storage.ledger))
  // Of a drive that was just made there is nothing to say.
  if (isRebuilt && sync.chain.state.epoch > 0) options.say(rebuiltLine(sync, storage))
  await pins.start()
  undo.push(() => pins.stop())
  const vfs = await fileSystem.start()
  const close = async () => {
    await undoAll(undo, log)
  }
  return {
    identity,
    network,
    storage,
    sync,
    files: fileSystem,
    pins,
    vfs,
    showOn: fileSystem.showOn,
    storeAll,
    drain: () => drain(vfs, storage, sync, parts),
    close,
  }
}

/** What a drive stands on: lock, keys, network, a ledger that is sound (or was healed), the chain as it is known. */
async function openGround(options: DriveOptions, parts: DriveParts, undo: Undo) {
  const { stateDir, cacheBytes, memoryBytes } = options
  const { clock, log } = parts
  prepareStateDir(stateDir)
  undo.push(lockState(stateDir))
  failpoint('mount.start.locked')
  const identity = await openIdentity(stateDir, options.passphrase ?? undefined)
  undo.push(() => identity.wipe())
  const network = new DriveNetwork(identity.facts, identity.device, { ...parts, relayOnly: options.relayOnly ?? false })
  undo.push(() => network.stop())
  const notice = new DriveNotice(clock)
  let files: DriveFileSystem | null = null
  const events = ledgerEvents({ stateDir, log, notice }, () => files?.noticeChanged())
  const healing = { identity, network, stateDir, clock, log, say: options.say }
  const { storage, aside, sweep } = await openSoundStorage(healing, () =>
    openStorage(identity, network, { stateDir, cacheBytes, memoryBytes, events, clock, log }),
  )
  undo.push(() => storage.close())
  undo.push(() => sweep?.end())
  const line = cacheLine(storage)
  if (line !== null) options.say(line)
  failpoint('mount.start.opened')
  const { state, isRebuilt } = await ensureChainState(
    { identity, network, storage, log },
    stateDir,
    progressLines(options),
    AbortSignal.timeout(REBUILD_MS),
  )
  failpoint('mount.start.chain')
  const healed = aside === null ? null : await finishHealing(healing, storage, aside)
  watchSweep(sweep, storage.ledger, log)
  const pins = new Pins({ ...storage, network: storage.segments, clock, log })
  const fileSystem = await openFileSystem(storage, network, { ...options, clock, log, notice, pins })
  files = fileSystem
  const isRolledBack = healed?.kind === 'kept' && healed.isRolledBack
  return { identity, network, storage, pins, fileSystem, state, isRebuilt, isRolledBack }
}

/** What comes from another device concerns pinned folders, and whoever has seen the tree. */
function tellChanges(pins: Pins, files: DriveFileSystem): DriveFileSystem['changed'] {
  return (changes) => {
    pins.treeChanged()
    return files.changed(changes)
  }
}

async function undoAll(undo: Undo, log: Log): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    try {
      await step()
    } catch (error) {
      log.error({ err: error }, 'a part of the drive did not end cleanly')
    }
  }
}

async function drain(vfs: Vfs, storage: DriveStorage, sync: DriveSync, parts: DriveParts): Promise<number> {
  failpoint('mount.stop.unmounted')
  await stopWithRoom(vfs, parts)
  if (sync.upkeep.online && sync.chain.isWriter && sync.upkeep.trouble() === null) {
    const signal = AbortSignal.timeout(DRAIN_MS)
    await storeEverything(storage, sync, signal).catch(() => undefined)
    await sync.witnesses.leaveLast(signal)
  }
  const { openBytes, pendingBytes } = storage.ledger.progress()
  return openBytes + pendingBytes
}

async function storeEverything(storage: DriveStorage, sync: DriveSync, signal: AbortSignal): Promise<void> {
  await storage.ledger.sync()
  const cut = await sync.cutter.cutNow()
  const epoch = cut?.epoch ?? storage.ledger.progress().newestPending ?? undefined
  if (epoch !== undefined) await sync.publisher.whenPublished(epoch, signal)
}

/** After a recovery: how far the tree reaches, and what hosts say of it. */
function rebuiltLine({ chain, upkeep }: DriveSync, { ledger }: DriveStorage): string {
  const { head, epoch } = chain.state
  const tree = `the tree is here: ${ledger.progress().files} files and folders, ${head.sequence + 1} records, epoch ${epoch}`
  const witnessed = upkeep.witnessed()
  if (witnessed === null) return `${tree}; no host keeps a witness of its head: the bridge is believed`
  const time = new Date(witnessed.timeMs).toISOString().slice(0, 19).replace('T', ' ')
  return `${tree}; the newest witness on hosts agrees (record ${witnessed.sequence}, ${time} UTC)`
}

export function lockState(stateDir: string): () => void {
  const file = path.join(stateDir, 'state.lock')
  try {
    return lockFolder(file)
  } catch (error) {
    if (isCode(error, 'database-damaged')) {
      throw new AppError('state-damaged', `${file} is damaged`, {
        cause: error,
        hint: 'it holds nothing: remove it, when no shardrive mount uses this directory',
      })
    }
    if (!(error instanceof AppError) || error.code !== 'folder-locked') throw error
    throw new AppError('drive-busy', `another process has the drive of ${stateDir} mounted`, {
      cause: error,
      hint: 'shardrive unmount ends it; one state directory serves one mount',
    })
  }
}

/** A ledger that is gone cannot say it any more, so it is said for it. */
function rolledBack(): AppError {
  return new AppError('drive-rolled-back', 'the bridge ends before a record that this device knows')
}

function ledgerEvents(
  { stateDir, log, notice }: { stateDir: string; log: Log; notice: DriveNotice },
  tellNotice: () => void,
) {
  return {
    readOnly: (reason: string | null) => {
      log.warn({ reason }, reason === null ? 'the drive is writable again' : 'the drive is read-only')
      // Before anything else: the next start heals it, however this one ends.
      if (reason?.includes('(database-damaged)')) suspect(stateDir, reason, log)
      if (notice.changed(reason)) tellNotice()
    },
    stopped: (error: Error) => log.error({ err: error }, 'the ledger thread ended'),
  }
}

function suspect(stateDir: string, reason: string, log: Log): void {
  try {
    suspectLedger(stateDir, { reason, isWish: false })
  } catch (error) {
    log.error({ err: error }, 'the next start does not know that damage was met')
  }
}

function progressLines(options: DriveOptions) {
  let saidAtMs = 0
  return (done: number, total: number, note: string) => {
    const nowMs = performance.now()
    if (total === 0 || nowMs - saidAtMs < LINE_EVERY_MS) return
    saidAtMs = nowMs
    options.say(`rebuilding the tree: ${note} ${done} of ${total}`)
  }
}
