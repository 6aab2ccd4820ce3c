/** `shardrive mount MOUNTPOINT`: shows the drive as a folder, until it is unmounted. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { explained, makeFolder } from '../../base/folders.js'
import { openLog } from '../../base/log.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { Arguments, Command } from '../command.js'
import { tuneMemory } from '../memory.js'
import { checkWhole, formatBytes, parseBytes } from '../numbers.js'
import { type ChildMessage, failureOfChild, followParent, leaveParent, tellParent } from '../parent.js'
import { readPhrase } from '../phrase-file.js'
import { readHandedSecret, readSecret } from '../secret-input.js'
import { mountLine } from '../service-lines.js'
import { type ServiceManager, takeServiceManager } from '../service-notify.js'
import { stateDirOf } from '../state-dir.js'
import { listenForStop } from '../stop.js'
import { reportOf, type Terminal } from '../terminal.js'

interface MountArguments {
  mountpoint: string
  drive: string
  state?: string
  bridge?: string
  phraseFile?: string
  passphraseFile?: string
  readOnly: boolean
  takeover: boolean
  fsync: 'local' | 'stored'
  uid?: number
  gid?: number
  cache: string
  relayOnly: boolean
  allowOther?: boolean
  door: 'native' | 'fuse-native'
  foreground: boolean
}

/** The last number means "nobody in particular" to the kernel. */
const ID_MAX = 4_294_967_294

export const command: Command<MountArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'an empty folder' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of the drive' })
      .option('state', { type: 'string', describe: 'state directory (default: ~/.local/state/shardrive/DRIVE)' })
      .option('bridge', { type: 'string', describe: 'with --phrase-file: address of the bridge' })
      .option('phrase-file', {
        type: 'string',
        describe: 'add this machine to the account of these 24 words, if the state directory is new',
      })
      .option('passphrase-file', { type: 'string', describe: 'passphrase of the key file' })
      .option('read-only', { type: 'boolean', default: false, describe: 'look only' })
      .option('takeover', { type: 'boolean', default: false, describe: 'write from here although another device does' })
      .option('fsync', {
        choices: ['local', 'stored'] as const,
        default: 'local' as const,
        describe: 'what fsync waits for: this disk, or the hosts',
      })
      .option('uid', { type: 'number', describe: 'owner of the root directory of a new drive (default: you)' })
      .option('gid', { type: 'number', describe: 'group of the root directory of a new drive' })
      .option('cache', { type: 'string', default: '10GiB', describe: 'how much read data to keep on this disk' })
      .option('relay-only', {
        type: 'boolean',
        default: false,
        describe: "hide this machine's address from hosts: everything goes through the bridge's TURN server, slower",
      })
      .option('allow-other', {
        type: 'boolean',
        describe: 'let other users of this machine in (default: only when root mounts)',
      })
      .option('door', {
        choices: ['native', 'fuse-native'] as const,
        default: 'native' as const,
        describe: 'how the kernel is spoken to: by our own code, or through libfuse 2, which can do less',
      })
      .option('foreground', { type: 'boolean', default: false, describe: 'stay in the foreground; Ctrl-C unmounts' })
      .example(
        'shardrive mount ~/drive',
        'goes on in the background; shardrive unmount ~/drive ends it',
      ) as unknown as Argv<MountArguments>,
  async run(args: Arguments<MountArguments>, terminal: Terminal) {
    const manager = takeServiceManager()
    try {
      return await runMount(args, manager, terminal)
    } catch (error) {
      manager.failed(error)
      throw error
    }
  },
}

async function runMount(args: MountArguments, manager: ServiceManager, terminal: Terminal): Promise<undefined> {
  checkWhole('--uid', args.uid, 0, ID_MAX)
  checkWhole('--gid', args.gid, 0, ID_MAX)
  parseBytes(args.cache)
  const mountPoint = path.resolve(args.mountpoint)
  const stateDir = stateDirOf(args.state, args.drive)
  // Before anything is asked of the network, or made: what is wrong here is said at once.
  await checkPlace(args.door, mountPoint)
  if (!args.foreground) return startInBackground(args, mountPoint, stateDir, terminal)
  await runInForeground(args, manager, mountPoint, stateDir, terminal)
  return undefined
}

async function checkPlace(door: MountArguments['door'], mountPoint: string): Promise<void> {
  if (door === 'native') await (await import('../../mount/fuse/door.js')).checkDoor(mountPoint)
  else await (await import('../../mount/portable/door.js')).checkPortableDoor(mountPoint)
}

async function runInForeground(
  args: MountArguments,
  manager: ServiceManager,
  mountPoint: string,
  stateDir: string,
  terminal: Terminal,
): Promise<void> {
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  let passphrase: SecretBytes | null = null
  try {
    passphrase = isBackground() ? readHandedSecret() : await prepareDevice(args, stateDir)
    tuneMemory()
    manager.useLog(openLog('mount'))
    manager.tell('starting: opening the drive')
    const { mountDrive } = await import('../drive-daemon.js')
    const drive = await mountDrive({
      mountPoint,
      stateDir,
      passphrase,
      readOnly: args.readOnly,
      takeover: args.takeover,
      fsyncStored: args.fsync === 'stored',
      relayOnly: args.relayOnly,
      cacheBytes: parseBytes(args.cache),
      door: args.door,
      ...(args.uid === undefined ? {} : { uid: args.uid }),
      ...(args.gid === undefined ? {} : { gid: args.gid }),
      ...(args.allowOther === undefined ? {} : { allowOther: args.allowOther }),
      say: (line) => {
        terminal.warn(line)
        manager.tell(`starting: ${line}`)
        tellParent({ said: line })
      },
    })
    await manager.ready(async () => mountLine(await drive.life()))
    const facts = { mount: mountPoint, pid: process.pid, state: stateDir, readOnly: drive.readOnlyReason() }
    tellParent({ ready: facts })
    terminal.result(facts, [
      `${mountPoint} shows drive '${drive.name}'`,
      ...(facts.readOnly === null ? [] : [`READ-ONLY: ${facts.readOnly}`]),
    ])
    await stop.waitWith<unknown>(gone, drive.ended)
    manager.stopping()
    const left = await drive.stop()
    if (left > 0) terminal.warn(`${formatBytes(left)} are only on this machine; the next mount stores them`)
    leaveParent()
  } catch (error) {
    tellParent({ failed: reportOf(error) })
    leaveParent()
    throw error
  } finally {
    passphrase?.wipe()
  }
}

function isBackground(): boolean {
  return process.env.SHARDRIVE_BACKGROUND === '1'
}

/**
 * Where a person may still be asked: makes the state directory a device's when `--phrase-file` says so, and finds the passphrase
 * of its key. `no-drive`, `passphrase-needed`.
 */
async function prepareDevice(args: MountArguments, stateDir: string): Promise<SecretBytes | null> {
  const { deviceKeyNeedsPassphrase, hasDrive, readDriveFacts } = await import('../../mount/account/drive-files.js')
  const source = { file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' }
  if (hasDrive(stateDir) || args.phraseFile === undefined) {
    readDriveFacts(stateDir)
    return readSecret({ ...source, ...(deviceKeyNeedsPassphrase(stateDir) ? { question: 'Passphrase: ' } : {}) })
  }
  if (args.bridge === undefined) {
    throw new AppError('usage', '--phrase-file needs --bridge', {
      hint: 'give the address of the bridge that knows this account',
    })
  }
  const passphrase = await readSecret(source)
  const { setUpDevice } = await import('../account-setup.js')
  await setUpDevice(await readPhrase(args.phraseFile), {
    stateDir,
    bridgeUrl: args.bridge,
    driveName: args.drive,
    ...(passphrase === null ? {} : { passphrase }),
  })
  return passphrase
}

/** The same command line with --foreground, in a session of its own; we stay until it is ready or has failed. */
async function startInBackground(
  args: MountArguments,
  mountPoint: string,
  stateDir: string,
  terminal: Terminal,
): Promise<undefined> {
  const passphrase = await prepareDevice(args, stateDir)
  const logDir = path.join(stateDir, 'log')
  explained(logDir, () => makeFolder(logDir))
  const logFile = path.join(logDir, 'mount.log')
  const log = explained(logDir, () => openSync(logFile, 'a', 0o600))
  const words = [...process.argv.slice(2).filter((word) => word !== '--json'), '--foreground']
  const child = spawn(process.execPath, [process.argv[1] as string, ...words], {
    detached: true,
    stdio: ['pipe', log, log, 'ipc'],
    env: { ...process.env, SHARDRIVE_BACKGROUND: '1' },
  })
  closeSync(log)
  // Through a pipe: arguments and the environment can be read by others.
  child.stdin?.on('error', () => undefined)
  if (passphrase === null) child.stdin?.end()
  else passphrase.use((bytes) => child.stdin?.end(Buffer.from(bytes)))
  passphrase?.wipe()
  const { readOnly, ...facts } = await readiness(child, logFile, terminal)
  child.removeAllListeners('exit')
  child.disconnect()
  child.unref()
  terminal.result({ ...facts, readOnly, mount: mountPoint }, [
    `${mountPoint} is mounted`,
    ...(typeof readOnly === 'string' ? [`READ-ONLY: ${readOnly}`] : []),
  ])
  return undefined
}

function readiness(child: ChildProcess, logFile: string, terminal: Terminal): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const ended = (how: string) =>
      reject(new AppError('child-failed', `the daemon ${how}`, { hint: `its log: ${logFile}` }))
    child.once('error', (error: NodeJS.ErrnoException) => ended(`could not be started (${error.code})`))
    child.once('exit', (code) => ended(`ended at its start (exit ${code})`))
    child.on('message', (message: ChildMessage) => {
      if (message.said !== undefined) terminal.warn(message.said)
      else if (message.ready !== undefined) resolve(message.ready)
      else reject(failureOfChild(message.failed ?? {}, '', logFile))
    })
  })
}
