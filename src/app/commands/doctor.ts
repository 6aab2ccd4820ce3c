/** `shardrive doctor`: looks at this machine, the bridge and the drive, and says what to do about what is wrong. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
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

export const command: Command<DoctorArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of the drive' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of the drive' })
      .example('shardrive doctor', 'exit code 5 when something is wrong') as unknown as Argv<DoctorArguments>,
  async run(args: Arguments<DoctorArguments>, terminal: Terminal) {
    const stateDir = await knownStateDir(args.state, args.drive)
    const checks: Check[] = [checkFuse(), await checkAddons(), checkState(stateDir), ...(await checkBridge(stateDir))]
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
    const { path: kernel, aes, sha256 } = codecAddon().capability()
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

async function checkBridge(stateDir: string): Promise<Check[]> {
  const { hasDrive, readDriveFacts } = await import('../../mount/account/drive-files.js')
  if (!hasDrive(stateDir)) return []
  const name = 'bridge'
  try {
    const { fetchBridgeInfo } = await import('../../bridge-client/bridge-info.js')
    const { systemClock } = await import('../../base/clock.js')
    const facts = readDriveFacts(stateDir)
    const info = await fetchBridgeInfo(
      { url: facts.bridgeUrl, bridge: facts.bridge, clock: systemClock },
      { timeoutMs: 5_000 },
    )
    return [
      { name, ok: true, detail: `${facts.bridgeUrl}, policy ${info.policy}, scheme ${info.scheme.k}/${info.scheme.n}` },
    ]
  } catch (error) {
    return [{ name, ok: false, ...explain(error) }]
  }
}

function explain(error: unknown): { detail: string; hint?: string } {
  if (!(error instanceof AppError)) throw error
  return { detail: `${error.message} [${error.code}]`, ...(error.hint === undefined ? {} : { hint: error.hint }) }
}
