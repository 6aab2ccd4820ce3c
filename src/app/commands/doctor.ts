/** `shardrive doctor`: looks at this machine, the bridge and the drive, and says what to do about what is wrong. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError, isCode } from '../../base/errors.js'
import { adviceFor, adviceForReason, codeOfReason } from '../advice.js'
import type { Arguments, Command } from '../command.js'
import { exitCodes } from '../exit-codes.js'
import { formatBytes } from '../numbers.js'
import { knownStateDir } from '../state-dir.js'
import type { Terminal } from '../terminal.js'

interface DoctorArguments {
  state?: string
  drive: string
}

interface Check {
  name: string
  ok: boolean
  detail: string
  hint?: string
}

const SPACE_WANTED_BYTES = 1_073_741_824
/** No segment counts as stored on fewer than k and two more hosts. */
const SPARE_RECEIPTS = 2

export const command: Command<DoctorArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of the drive' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of the drive' })
      .example('shardrive doctor', 'exit code 5 when something is wrong') as unknown as Argv<DoctorArguments>,
  async run(args: Arguments<DoctorArguments>, terminal: Terminal) {
    const stateDir = await knownStateDir(args.state, args.drive)
    const machine = [checkFuse(), await checkAddons(), checkState(stateDir)]
    const { checkLocalDatabase } = await import('../doctor-damage.js')
    const { hasDrive } = await import('../../mount/account/drive-files.js')
    const here = hasDrive(stateDir) ? [checkLocalDatabase(stateDir)] : []
    const { checks: bridge, hostsNeeded } = await checkBridge(stateDir)
    const drive = await checkDrive(stateDir, hostsNeeded)
    const checks: Check[] = [...machine, ...here, ...bridge, ...drive, ...(await checkDead(stateDir))]
    terminal.result(
      { checks },
      checks.flatMap((one) => [
        `${one.ok ? 'ok  ' : 'BAD '} ${one.name}: ${one.detail}`,
        ...(one.hint && !one.ok ? [`       what to do: ${one.hint}`] : []),
      ]),
    )
    return checks.every((one) => one.ok) ? exitCodes.ok : exitCodes.environment
  },
}

function checkFuse(): Check {
  const name = 'FUSE'
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK)
  } catch {
    return {
      name,
      ok: false,
      detail: '/dev/fuse is missing or not open to you',
      hint: 'modprobe fuse, and as root: apt-get install fuse3',
    }
  }
  const isRoot = process.getuid?.() === 0
  const places = (process.env.PATH ?? '').split(':')
  const binary = ['fusermount3', 'fusermount'].find((one) => places.some((place) => existsSync(path.join(place, one))))
  if (binary === undefined && !isRoot) {
    return { name, ok: false, detail: 'there is no fusermount', hint: 'as root: apt-get install fuse3' }
  }
  return { name, ok: true, detail: binary ?? 'root mounts by itself' }
}

async function checkAddons(): Promise<Check> {
  const name = 'native code'
  try {
    const { codecAddon } = await import('../../addon/codec.js')
    const { memoryAddon } = await import('../../addon/memory.js')
    const { notifyAddon } = await import('../../addon/notify.js')
    const { path: kernel, aes, sha256 } = codecAddon().capability()
    memoryAddon()
    notifyAddon()
    if (process.platform === 'linux') (await import('../../addon/door.js')).doorAddon()
    return { name, ok: true, detail: `erasure ${kernel}, ${aes}, ${sha256}` }
  } catch (error) {
    return { name, ok: false, ...explain(error) }
  }
}

function checkState(stateDir: string): Check {
  const name = 'state directory'
  if (!existsSync(stateDir))
    return {
      name,
      ok: false,
      detail: `${stateDir} does not exist`,
      hint: 'shardrive init or shardrive recover makes it',
    }
  try {
    accessSync(stateDir, constants.W_OK)
  } catch {
    return { name, ok: false, detail: `${stateDir} cannot be written`, hint: 'correct its owner and permissions' }
  }
  const { bavail, bsize } = statfsSync(stateDir)
  const free = bavail * bsize
  return {
    name,
    ok: free > SPACE_WANTED_BYTES,
    detail: `${stateDir}, ${formatBytes(free)} free`,
    hint: 'free some disk space: new files wait here until they are stored',
  }
}

/** `hostsNeeded`: with fewer online nothing can be stored. */
async function checkBridge(stateDir: string): Promise<{ checks: Check[]; hostsNeeded: number }> {
  const { hasDrive, readDriveFacts } = await import('../../mount/account/drive-files.js')
  if (!hasDrive(stateDir)) return { checks: [], hostsNeeded: 1 }
  const name = 'bridge'
  try {
    const { fetchBridgeInfo } = await import('../../bridge-client/bridge-info.js')
    const { systemClock } = await import('../../base/clock.js')
    const facts = readDriveFacts(stateDir)
    const info = await fetchBridgeInfo(
      { url: facts.bridgeUrl, bridge: facts.bridge, clock: systemClock },
      { timeoutMs: 5_000 },
    )
    const { k, n } = info.scheme
    const detail = `${facts.bridgeUrl}, policy ${info.policy}, scheme ${k}/${n}`
    return { checks: [{ name, ok: true, detail }], hostsNeeded: Math.min(n, k + SPARE_RECEIPTS) }
  } catch (error) {
    return { checks: [{ name, ok: false, ...explain(error) }], hostsNeeded: 1 }
  }
}

interface DriveFacts {
  mount: string
  readOnly: string | null
  trouble: { code: string; message: string } | null
  hosts: { connected: number; relayed: number; online: number | null; total: number | null; refused: number }
}

/** What the daemon of this state directory says of itself; that none runs is nothing wrong. */
async function checkDrive(stateDir: string, hostsNeeded: number): Promise<Check[]> {
  const name = 'drive'
  if (!existsSync(stateDir)) return []
  const { askDaemon } = await import('../daemon-answers.js')
  const { findRunningDrive } = await import('../running-drives.js')
  try {
    const facts = await askDaemon(await findRunningDrive(stateDir), 'status')
    return driveChecks(facts as unknown as DriveFacts, hostsNeeded)
  } catch (error) {
    const died = (await deadDrives()).some((one) => one.state === path.resolve(stateDir))
    if (isCode(error, 'daemon-not-running') && !died) return [{ name, ok: true, detail: 'not mounted' }]
    return [{ name, ok: false, ...explain(error) }]
  }
}

/** Drives of other state directories whose daemon died. */
async function checkDead(stateDir: string): Promise<Check[]> {
  const { diedError } = await import('../running-drives.js')
  return (await deadDrives())
    .filter((one) => one.state !== path.resolve(stateDir))
    .map((one) => ({ name: 'drive', ok: false, ...explain(diedError(one)) }))
}

async function deadDrives() {
  return (await import('../running-drives.js')).listDeadDrives()
}

function driveChecks({ mount, readOnly, trouble, hosts }: DriveFacts, hostsNeeded: number): Check[] {
  const place = `at ${mount}${readOnly === null ? '' : `, READ-ONLY: ${readOnly}`}`
  // Reasons that somebody chose are nothing wrong.
  const wayOut = trouble === null ? adviceForReason(readOnly ?? '') : adviceFor(trouble.code)
  const more = trouble === null ? '' : `; ${trouble.message} [${trouble.code}]`
  const isWell = trouble === null && (readOnly === null || codeOfReason(readOnly) === undefined)
  const drive = { name: 'drive', ok: isWell, detail: `${place}${more}` }
  const online = hosts.online === null ? 'unknown how many are online' : `${hosts.online} of ${hosts.total} online`
  const relayed = hosts.relayed === 0 ? '' : ` (${hosts.relayed} through a relay)`
  const refused = hosts.refused === 0 ? '' : `, ${hosts.refused} connections refused`
  const areFew = hosts.online !== null && hosts.online < hostsNeeded
  const few = areFew ? `; ${hostsNeeded} are needed to store anything` : ''
  return [
    wayOut === undefined ? drive : { ...drive, hint: wayOut },
    {
      name: 'hosts',
      ok: !areFew && hosts.refused === 0,
      detail: `${online}, ${hosts.connected} connected here${relayed}${refused}${few}`,
      hint:
        hosts.refused === 0
          ? 'start hosts, or wait until they return; what you write stays on this machine until then'
          : 'what the bridge relayed was not what hosts had signed: look into the log of the drive',
    },
  ]
}

function explain(error: unknown): { detail: string; hint?: string } {
  if (!(error instanceof AppError)) throw error
  return { detail: `${error.message} [${error.code}]`, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}
