/** `shardrive mount MOUNTPOINT`: shows the drive as a folder, until it is unmounted. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { Arguments, Command } from '../command.js'
import { parseBytes } from '../numbers.js'
import { followParent, leaveParent, tellParent } from '../parent.js'
import { readSecret } from '../secret-input.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'
import { stateDirOf } from './init.js'
import { readPhrase } from './recover.js'

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
  allowOther?: boolean
  foreground: boolean
}

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
      .option('allow-other', {
        type: 'boolean',
        describe: 'let other users of this machine in (default: only when root mounts)',
      })
      .option('foreground', { type: 'boolean', default: false, describe: 'stay in the foreground; Ctrl-C unmounts' })
      .example(
        'shardrive mount ~/drive',
        'goes on in the background; shardrive unmount ~/drive ends it',
      ) as unknown as Argv<MountArguments>,
  async run(args: Arguments<MountArguments>, terminal: Terminal) {
    const mountPoint = path.resolve(args.mountpoint)
    const stateDir = stateDirOf(args.state, args.drive)
    if (!args.foreground) return startInBackground(mountPoint, stateDir, terminal)
    await runInForeground(args, mountPoint, stateDir, terminal)
    return undefined
  },
}

async function runInForeground(
  args: MountArguments,
  mountPoint: string,
  stateDir: string,
  terminal: Terminal,
): Promise<void> {
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
  try {
    await ensureDevice(args, stateDir, passphrase)
    const { mountDrive } = await import('../drive-daemon.js')
    const drive = await mountDrive({
      mountPoint,
      stateDir,
      passphrase,
      readOnly: args.readOnly,
      takeover: args.takeover,
      fsyncStored: args.fsync === 'stored',
      cacheBytes: parseBytes(args.cache),
      ...(args.uid === undefined ? {} : { uid: args.uid }),
      ...(args.gid === undefined ? {} : { gid: args.gid }),
      ...(args.allowOther === undefined ? {} : { allowOther: args.allowOther }),
      say: (line) => terminal.warn(line),
    })
    const facts = { mount: mountPoint, pid: process.pid, state: stateDir, readOnly: drive.readOnlyReason() }
    tellParent({ ready: facts })
    terminal.result(facts, [
      `${mountPoint} shows drive '${drive.name}'`,
      ...(facts.readOnly === null ? [] : [`READ-ONLY: ${facts.readOnly}`]),
    ])
    await Promise.race([stop.wait(), gone, drive.ended])
    const left = await drive.stop()
    if (left > 0) terminal.warn(`${left} bytes are only on this machine; the next mount stores them`)
    leaveParent()
  } catch (error) {
    const facts =
      error instanceof AppError
        ? { code: error.code, message: error.message, hint: error.hint }
        : { code: 'bug', message: String(error) }
    tellParent({ failed: facts })
    leaveParent()
    throw error
  } finally {
    passphrase?.wipe()
  }
}

/** `--phrase-file` makes a state directory that has no device into one; a directory that has one keeps it. */
async function ensureDevice(args: MountArguments, stateDir: string, passphrase: SecretBytes | null): Promise<void> {
  const { hasDrive } = await import('../../mount/account/drive-files.js')
  if (hasDrive(stateDir) || args.phraseFile === undefined) return
  if (args.bridge === undefined)
    throw new AppError('usage', '--phrase-file needs --bridge', {
      hint: 'the address of the bridge that knows this account',
    })
  const { setUpDevice } = await import('../account-setup.js')
  await setUpDevice(await readPhrase(args.phraseFile), {
    stateDir,
    bridgeUrl: args.bridge,
    driveName: args.drive,
    ...(passphrase === null ? {} : { passphrase }),
  })
}

/** The same command line with --foreground, in a session of its own; we stay until it is ready or has failed. */
async function startInBackground(mountPoint: string, stateDir: string, terminal: Terminal): Promise<undefined> {
  mkdirSync(path.join(stateDir, 'log'), { recursive: true, mode: 0o700 })
  const logFile = path.join(stateDir, 'log', 'mount.log')
  const log = openSync(logFile, 'a', 0o600)
  const words = [...process.argv.slice(2).filter((word) => word !== '--json'), '--foreground']
  const child = spawn(process.execPath, [process.argv[1] as string, ...words], {
    detached: true,
    stdio: ['inherit', log, log, 'ipc'],
    env: { ...process.env, SHARDRIVE_BACKGROUND: '1' },
  })
  closeSync(log)
  const facts = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('exit', (code) =>
      reject(
        new AppError('child-failed', `the daemon ended at its start (exit ${code})`, { hint: `its log: ${logFile}` }),
      ),
    )
    child.on(
      'message',
      (message: { ready?: Record<string, unknown>; failed?: { code: string; message: string; hint?: string } }) => {
        if (message.ready) return resolve(message.ready)
        const { code = 'child-failed', message: text = 'the daemon failed', hint } = message.failed ?? {}
        reject(new AppError(code, text, { hint: hint ?? `its log: ${logFile}` }))
      },
    )
  })
  child.removeAllListeners('exit')
  child.disconnect()
  child.unref()
  const { readOnly } = facts
  terminal.result({ ...facts, mount: mountPoint }, [
    `${mountPoint} is mounted`,
    ...(typeof readOnly === 'string' ? [`READ-ONLY: ${readOnly}`] : []),
  ])
  return undefined
}
