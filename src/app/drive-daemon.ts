/**
 * Mode mount, composed: a drive on this machine from its state directory. Start order: lock, keys, network, ledger, chain (rebuilt from
 * the network on a new device), door, upkeep, control. Stop order is the reverse, with what is left published while it is quick.
 */
import path from 'node:path'
import { systemClock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { type Log, openLog } from '../base/log.js'
import type { SecretBytes } from '../crypto/secret.js'
import { prepareStateDir } from '../mount/account/drive-files.js'
import { ControlServer } from '../mount/control/server.js'
import { type MountedDoor, mountDoor } from '../mount/fuse/door.js'
import { lockFolder } from '../sqlite/lock.js'
import { controlMethods } from './drive-control.js'
import { openFileSystem } from './drive-files.js'
import { type DriveIdentity, openIdentity } from './drive-identity.js'
import { DriveNetwork } from './drive-network.js'
import { DriveStatus } from './drive-status.js'
import { type DriveStorage, openStorage } from './drive-storage.js'
import { composeSync, type DriveSync, ensureChainState, loadHosts } from './drive-sync.js'
import { announceDrive, controlSocketOf, withdrawDrive } from './running-drives.js'

export interface MountOptions {
  mountPoint: string
  stateDir: string
  passphrase: SecretBytes | null
  readOnly: boolean
  takeover: boolean
  fsyncStored: boolean
  cacheBytes: number
  uid?: number
  gid?: number
  allowOther?: boolean
  say(line: string): void
}

export interface RunningMount {
  name: string
  /** Unmounted from outside, or asked to end through the control socket. */
  ended: Promise<unknown>
  readOnlyReason(): string | null
  /** Answers the bytes that are only on this machine. */
  stop(): Promise<number>
}

/** A mount that cannot reach its bridge comes up with what it knows after so long. */
const ONLINE_PATIENCE_MS = 8_000
/** At the end: what is not stored yet gets so long; the rest is stored by the next mount. */
const DRAIN_MS = 5_000
const SPACE_EVERY_MS = 30_000

/** Undone last to first, whatever fails on the way. */
type Undo = (() => unknown)[]

export async function mountDrive(options: MountOptions): Promise<RunningMount> {
  const undo: Undo = []
  try {
    return await start(options, undo)
  } catch (error) {
    for (const step of undo.reverse()) await step()
    throw error
  }
}

async function start(options: MountOptions, undo: Undo): Promise<RunningMount> {
  const { stateDir, mountPoint } = options
  const clock = systemClock
  const log = openLog('mount')
  prepareStateDir(stateDir)
  undo.push(lockState(stateDir))
  const identity = await openIdentity(stateDir, options.passphrase ?? undefined)
  undo.push(() => identity.wipe())
  const network = new DriveNetwork(identity.facts, identity.device, { clock, log })
  undo.push(() => network.stop())
  const storage = await openStorage(identity, network, {
    stateDir,
    cacheBytes: options.cacheBytes,
    events: ledgerEvents(log),
    clock,
    log,
  })
  undo.push(() => storage.close())
  const state = await ensureChainState(
    { identity, network, storage, log },
    stateDir,
    progressLines(options),
    AbortSignal.timeout(REBUILD_MS),
  )
  const files = await openFileSystem(storage, network, { ...options, clock, log })
  let door: MountedDoor | null = null
  const sync = composeSync(
    state,
    {
      identity,
      network,
      storage,
      clock,
      log,
      onChanges: (changes) => files.changed(changes, door),
      onPublished: () => undefined,
    },
    { readOnly: options.readOnly, takeover: options.takeover },
  )
  files.useDurability((signal) => storeAll(storage, sync, signal))
  await sync.upkeep.start(ONLINE_PATIENCE_MS)
  undo.push(() => sync.upkeep.stop())
  network.peers.warm(await loadHosts(storage.ledger))
  const vfs = await files.start()
  door = await mountDoor(
    mountPoint,
    { fs: vfs, log },
    {
      fsname: `shardrive:${identity.facts.drive}`,
      ...(options.allowOther === undefined ? {} : { allowOther: options.allowOther }),
    },
  )
  undo.push(() => door?.unmount())
  return serve({ options, identity, network, storage, sync, door, log, undo, files })
}

interface Served {
  options: MountOptions
  identity: DriveIdentity
  network: DriveNetwork
  storage: DriveStorage
  sync: DriveSync
  door: MountedDoor
  log: Log
  undo: Undo
  files: Awaited<ReturnType<typeof openFileSystem>>
}

async function serve(parts: Served): Promise<RunningMount> {
  const { options, identity, network, storage, sync, door, log, undo } = parts
  const { stateDir } = options
  const statusParts = { identity, network, storage, sync, mountPoint: door.mountPoint, clock: systemClock }
  const status = new DriveStatus(statusParts)
  let requestStop: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    requestStop = resolve
  })
  const control = await ControlServer.listen(
    controlSocketOf(stateDir),
    controlMethods({ ...statusParts, status, requestStop }),
    log,
  )
  undo.push(() => control.stop())
  announceDrive({
    state: path.resolve(stateDir),
    mountPoint: door.mountPoint,
    control: controlSocketOf(stateDir),
    pid: process.pid,
  })
  undo.push(() => withdrawDrive(stateDir))
  const space = setInterval(() => void parts.files.refreshSpace(), SPACE_EVERY_MS)
  undo.push(() => clearInterval(space))
  log.info({ mount: door.mountPoint, drive: identity.facts.drive }, 'the drive is mounted')
  const stop = async () => {
    await door.unmount()
    const left = await drain(storage, sync)
    for (const step of undo.splice(0).reverse()) await step()
    log.info({ left }, 'the drive is unmounted')
    return left
  }
  return {
    name: identity.facts.name,
    ended: Promise.race([asked, door.ended]),
    readOnlyReason: () => storage.ledger.readOnlyReason(),
    stop,
  }
}

/** Publishes what is left while that is quick; answers what is not. */
async function drain(storage: DriveStorage, sync: DriveSync): Promise<number> {
  if (sync.upkeep.online && sync.chain.isWriter && sync.upkeep.trouble() === null) {
    await storeAll(storage, sync, AbortSignal.timeout(DRAIN_MS)).catch(() => undefined)
  }
  const { openBytes, pendingBytes } = storage.ledger.progress()
  return openBytes + pendingBytes
}

async function storeAll(storage: DriveStorage, sync: DriveSync, signal: AbortSignal): Promise<void> {
  await storage.ledger.sync()
  const cut = await sync.cutter.cutNow()
  const epoch = cut?.epoch ?? (await storage.ledger.pendingEpochs()).at(-1)?.epoch
  if (epoch !== undefined) await sync.publisher.whenPublished(epoch, signal)
}

function lockState(stateDir: string): () => void {
  try {
    return lockFolder(path.join(stateDir, 'state.lock'))
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'folder-locked') throw error
    throw new AppError('drive-busy', `another process has the drive of ${stateDir} mounted`, {
      cause: error,
      hint: 'shardrive unmount ends it; one state directory serves one mount',
    })
  }
}

function ledgerEvents(log: Log) {
  return {
    readOnly: (reason: string | null) =>
      log.warn({ reason }, reason === null ? 'the drive is writable again' : 'the drive is read-only'),
    stopped: (error: Error) => log.error({ err: error }, 'the ledger thread ended'),
  }
}

/** A first mount on a new device reads the drive's whole chain. */
const REBUILD_MS = 3_600_000
const LINE_EVERY_MS = 2_000

function progressLines(options: MountOptions) {
  let saidAtMs = 0
  return (done: number, total: number, note: string) => {
    const nowMs = performance.now()
    if (nowMs - saidAtMs < LINE_EVERY_MS) return
    saidAtMs = nowMs
    options.say(`rebuilding the tree: ${note} ${done} of ${total}`)
  }
}
