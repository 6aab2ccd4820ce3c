/**
 * Which drives are mounted here, and where their control sockets are: one small file each in the runtime directory, so that
 * `shardrive sync` in a second terminal needs no options. A file of a daemon that died is recognised by its dead socket, and kept as long
 * as its mount is left behind; of one that was killed and hangs in the kernel by its process: its socket is open, and nobody will ever answer.
 */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { explained, makeFolder, readSmall } from '../base/folders.js'
import { isDying } from '../base/process-state.js'
import { SOCKET_PATH_MAX } from '../mount/control/server.js'
import { pidOf } from '../mount/fuse/mount-daemon.js'
import { MOUNT_TYPE } from '../mount/fuse/mount-point.js'
import { topMountAt } from '../mount/fuse/mount-table.js'
import { decodeJson } from '../wire/check.js'
import { type Static, Type } from '../wire/schema.js'
import { askDaemon } from './daemon-answers.js'
import { standardPaths } from './paths.js'

/** A place on this machine: the control socket's is connected to as it stands there, and a bare number would be a port. */
const Place = Type.String({ pattern: '^/[^\\u0000]*$', maxLength: 4_096 })

const Announced = Type.Object(
  { state: Place, mountPoint: Type.Union([Place, Type.Null()]), control: Place, pid: Type.Integer({ minimum: 0 }) },
  { additionalProperties: false },
)
export type RunningDrive = Static<typeof Announced>

/** Three paths and a number. */
const FILE_BYTES_MAX = 65_536

function runtimeDir(): string {
  return standardPaths({ env: process.env, home: os.homedir(), platform: process.platform }).runtimeDir
}

function nameOf(stateDir: string): string {
  return createHash('sha256').update(path.resolve(stateDir)).digest('hex').slice(0, 24)
}

/** Beside the ledger when the path is short enough, in the runtime directory (or a folder of ours in /tmp) otherwise. */
export function controlSocketOf(stateDir: string): string {
  const places = [
    path.join(path.resolve(stateDir), 'control.sock'),
    path.join(runtimeDir(), `${nameOf(stateDir)}.sock`),
    path.join(tmpFolder(), `${nameOf(stateDir)}.sock`),
  ]
  return places.find((place) => Buffer.byteLength(place) <= SOCKET_PATH_MAX) as string
}

function tmpFolder(): string {
  return `/tmp/shardrive-${process.getuid?.() ?? 0}`
}

/** The folder of the socket, ours alone: in /tmp somebody else may have made it first. `state-unwritable`. */
export function prepareSocketFolder(socket: string): void {
  const folder = path.dirname(socket)
  explained(folder, () => makeFolder(folder))
  if (folder !== tmpFolder()) return
  const found = lstatSync(folder)
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0) return
  throw new AppError('state-unwritable', `${folder} is not a folder of yours alone`, {
    hint: 'choose a shorter path for the state directory',
  })
}

export function announceDrive(drive: RunningDrive): void {
  const dir = path.join(runtimeDir(), 'drives')
  explained(dir, () => makeFolder(dir))
  writeFileSync(path.join(dir, `${nameOf(drive.state)}.json`), JSON.stringify(drive), { mode: 0o600 })
}

export function withdrawDrive(stateDir: string): void {
  forget(path.join(runtimeDir(), 'drives', `${nameOf(stateDir)}.json`))
}

export async function listRunningDrives(): Promise<RunningDrive[]> {
  return (await lookAround()).running
}

/** Those whose daemon died and has left its mount behind, which answers nothing. */
export async function listDeadDrives(): Promise<RunningDrive[]> {
  return (await lookAround()).dead
}

async function lookAround(): Promise<{ running: RunningDrive[]; dead: RunningDrive[] }> {
  const dir = path.join(runtimeDir(), 'drives')
  const running: RunningDrive[] = []
  const dead: RunningDrive[] = []
  for (const name of namesIn(dir)) {
    const drive = parse(path.join(dir, name))
    if (drive !== null && isDying(drive.pid)) dead.push(drive)
    else if (drive !== null && (await answers(drive.control))) running.push(drive)
    else if (drive !== null && (await leftMount(drive))) dead.push(drive)
    else forget(path.join(dir, name))
  }
  return { running, dead }
}

/** The mount that this very daemon made is still in the tree. It is not looked at. */
async function leftMount({ mountPoint, pid }: RunningDrive): Promise<boolean> {
  if (mountPoint === null) return false
  // Where there is no such table, there is none of these mounts either.
  const mount = await topMountAt(mountPoint).catch(() => undefined)
  return mount?.type === MOUNT_TYPE && pidOf(mount) === pid
}

/** The drive of --state, or the one that `target` lies in, or the only one there is. */
export async function findRunningDrive(stateDir: string | undefined, target?: string): Promise<RunningDrive> {
  const { running, dead } = await lookAround()
  if (stateDir !== undefined) {
    const state = path.resolve(stateDir)
    expectAlive(dead.find((one) => one.state === state))
    return (
      running.find((one) => one.state === state) ?? { state, mountPoint: null, control: controlSocketOf(state), pid: 0 }
    )
  }
  if (target !== undefined) {
    // Before anything is looked at: what lies there does not answer.
    expectAlive(holderOf(dead, path.resolve(target)))
    // One that stands still answers no look at its mount either, and that would be waited for without end.
    const seen = holderOf(running, path.resolve(target))
    if (seen !== undefined) await askDaemon(seen, 'alive').catch(unlessSilent)
    const holder = holderOf(running, realPlace(target))
    if (holder) return holder
    throw new AppError('not-on-drive', `${target} does not lie on a mounted drive`, { hint: hintOf(running) })
  }
  const here = holderOf(running, process.cwd())
  if (here) return here
  expectAlive(holderOf(dead, process.cwd()))
  const [only, ...others] = running
  if (only === undefined) {
    expectAlive(dead[0])
    throw new AppError('daemon-not-running', 'no drive is mounted here', {
      hint: 'shardrive mount MOUNTPOINT, or shardrive up, starts one',
    })
  }
  if (others.length > 0)
    throw new AppError('usage', 'several drives are mounted: say which one', { hint: hintOf(running) })
  return only
}

/** Whatever else it says: it answers. */
function unlessSilent(error: unknown): void {
  if (isCode(error, 'daemon-silent')) throw error
}

function expectAlive(dead: RunningDrive | undefined): void {
  if (dead !== undefined) throw diedError(dead)
}

/** `daemon-not-running`, of one that has left its mount behind. */
export function diedError({ mountPoint, state }: RunningDrive): AppError {
  const place = mountPoint ?? 'MOUNTPOINT'
  return new AppError('daemon-not-running', `the daemon of ${mountPoint ?? state} has died`, {
    hint: `shardrive mount ${place} --state ${state} brings the drive back; shardrive unmount ${place} takes away what is left`,
  })
}

/** Mount points are known without symbolic links. */
function realPlace(place: string): string {
  try {
    return realpathSync(place)
  } catch {
    return path.resolve(place)
  }
}

function holderOf(running: readonly RunningDrive[], place: string): RunningDrive | undefined {
  return running.find(({ mountPoint }) => {
    return mountPoint !== null && (place === mountPoint || place.startsWith(`${mountPoint}/`))
  })
}

function hintOf(running: readonly RunningDrive[]): string {
  if (running.length === 0) return 'no drive is mounted here: shardrive mount MOUNTPOINT mounts one'
  return `name a path on one of them: ${running.map((one) => `${one.mountPoint} (or --state ${one.state})`).join(', ')}`
}

function forget(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // Another user's folder: it is theirs to tidy.
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith('.json'))
  } catch {
    return []
  }
}

function parse(file: string): RunningDrive | null {
  try {
    return decodeJson(Announced, readSmall(file, FILE_BYTES_MAX), file)
  } catch {
    return null
  }
}

function answers(control: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(control)
    const end = (alive: boolean) => {
      socket.destroy()
      resolve(alive)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
