/** What the control socket of a mounted drive can be asked. */
import { AppError, isCode } from '../base/errors.js'
import type { ControlCall, ControlMethods } from '../mount/control/server.js'
import type { Pins } from '../mount/pins/pins.js'
import { ROOM_PATIENCE_MS } from './drive-end.js'
import { checkDrive, type FsckReport } from './drive-fsck.js'
import { pinMethods } from './drive-pins.js'
import type { DriveStatus, StatusParts } from './drive-status.js'
import { storedOf } from './drive-status.js'

const PROGRESS_EVERY_MS = 500
const COMPLETE_EVERY_MS = 500

export interface ControlParts extends StatusParts {
  stateDir: string
  status: DriveStatus
  pins: Pins
  /** False: programs have files of it open. */
  unmountIfIdle(): Promise<boolean>
  /** Begins the end of the daemon; resolves with what was not stored when the drive was closed. */
  endDrive(): Promise<number>
}

export function controlMethods(parts: ControlParts): ControlMethods {
  return {
    /** Whoever waits for long work asks it beside: daemon-answers.ts. */
    alive: async () => ({}),
    status: () => parts.status.describe(),
    'status-of': (call) => fileStatus(parts, call),
    ...pinMethods(parts.pins),
    sync: (call) => syncDrive(parts, call),
    fsck: (call) => fsck(parts, call),
    unmount: async (call) => {
      if (call.params.force !== true) await expectSafe(parts)
      if (call.params.force !== true && !(await becomesIdle(parts))) {
        throw new AppError('mountpoint-busy', `programs have files or folders of ${parts.mountPoint} open`, {
          retry: 'later',
          hint: `lsof ${parts.mountPoint} lists them; --force takes the drive away from them`,
        })
      }
      return { localBytes: await parts.endDrive() }
    },
  }
}

/** Whoever only looks, as df and file managers do, is in the way for a moment. */
const IDLE_TRIES = 6
const IDLE_PAUSE_MS = 100

async function becomesIdle({ unmountIfIdle, clock }: ControlParts): Promise<boolean> {
  for (let tries = 1; !(await unmountIfIdle()); tries++) {
    if (tries === IDLE_TRIES) return false
    await clock.sleep(IDLE_PAUSE_MS)
  }
  return true
}

/** Nothing is only in memory: on a full disk it would end with the daemon. Whatever else is wrong with the ledger keeps nobody from leaving. */
async function expectSafe({ storage, stateDir }: ControlParts): Promise<void> {
  try {
    await storage.ledger.sync()
  } catch (error) {
    if (!isCode(error, 'no-space')) return
    throw new AppError('no-space', `the disk of ${stateDir} is full, and the last changes are only in memory`, {
      cause: error,
      retry: 'later',
      hint: `free some disk space there, then unmount; --force waits ${ROOM_PATIENCE_MS / 1_000} s for that and gives them up then`,
    })
  }
}

/** {dryRun, read}: see drive-fsck.ts. */
async function fsck(parts: ControlParts, { params, signal, progress }: ControlCall): Promise<FsckReport> {
  const { storage, network, identity, stateDir } = parts
  let toldAtMs = Number.NEGATIVE_INFINITY
  return checkDrive(
    { storage, network, drive: identity.facts.drive, stateDir },
    { dryRun: params.dryRun === true, read: params.read === true },
    (step, done, total) => {
      const nowMs = performance.now()
      if (nowMs - toldAtMs < PROGRESS_EVERY_MS) return
      toldAtMs = nowMs
      progress({ step, done, total })
    },
    signal,
  )
}

/** {ino}: state of one file and how many shards of its segments are stored. */
async function fileStatus(parts: ControlParts, call: ControlCall): Promise<object> {
  const ino = call.params.ino
  if (typeof ino !== 'number' || !Number.isSafeInteger(ino) || ino < 1)
    throw new AppError('usage', 'status-of needs an inode number')
  const { state, segments } = await parts.storage.ledger.stateOf(ino)
  const health = await parts.status.readHealth(call.signal)
  const short = new Map((health?.short ?? []).map((one) => [one.segment as string, one]))
  let worst: { stored: number; of: number } | null = null
  for (const segment of segments) {
    const one = short.get(segment)
    if (one && (worst === null || one.stored < worst.stored)) worst = { stored: one.stored, of: one.n }
  }
  const { bytes, of } = await parts.pins.here(ino, call.signal)
  return {
    state,
    pinned: parts.pins.isPinned(ino),
    hereBytes: bytes,
    dataBytes: of,
    segments: segments.length,
    health: health === null ? 'unknown' : worst === null ? 'full' : 'short',
    worst,
  }
}

/** Waits until everything up to now is stored; {complete}: on n of n hosts. */
async function syncDrive(parts: StatusParts & { status: DriveStatus }, call: ControlCall): Promise<object> {
  const { storage, sync, clock } = parts
  const { signal } = call
  const readOnly = storage.ledger.readOnlyReason()
  const startedMs = clock.monotonicMs()
  const total = storage.ledger.progress().openBytes + storage.ledger.progress().pendingBytes
  const timer = setInterval(() => {
    const now = storage.ledger.progress()
    const left = now.openBytes + now.pendingBytes - sync.storedBytes()
    call.progress({ total, left, trouble: sync.upkeep.trouble() })
  }, PROGRESS_EVERY_MS)
  try {
    await storage.ledger.sync()
    const cut = await sync.cutter.cutNow()
    const pending = cut?.epoch ?? storage.ledger.progress().newestPending ?? undefined
    if (pending !== undefined) {
      if (readOnly !== null && !sync.chain.isWriter) {
        throw new AppError('read-only', `nothing can be published from here: ${readOnly}`)
      }
      // Whoever asks now does not wait for the end of a pause.
      sync.hurry()
      await sync.publisher.whenPublished(pending, signal)
    }
    if (call.params.complete === true) await untilComplete(parts, call)
  } finally {
    clearInterval(timer)
  }
  const health = await parts.status.readHealth(signal)
  return {
    bytes: total,
    tookMs: Math.round(clock.monotonicMs() - startedMs),
    stored: health === null ? null : storedOf(health),
  }
}

async function untilComplete(parts: StatusParts & { status: DriveStatus }, call: ControlCall): Promise<void> {
  for (;;) {
    const health = await parts.status.askHealth(call.signal)
    if (health !== null && health.short.length === 0 && health.full === health.segments) return
    if (health !== null) call.progress({ segments: health.segments, full: health.full })
    if (!(await parts.clock.sleep(COMPLETE_EVERY_MS, call.signal))) call.signal.throwIfAborted()
  }
}
