/** `shardrive service install | remove | status`: a mode of this program as a service of systemd or launchd. */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { KINDS, type Kind, type Manager, type Order, type Scope } from '../services/order.js'
import { usualDir, usualMountPoint } from '../services/places.js'
import { checkDriveName, stateDirOf } from '../state-dir.js'
import type { Terminal } from '../terminal.js'
import { parseScheme } from './bridge.js'

interface WhichArguments {
  what: Kind
  user?: boolean
  system?: boolean
  root?: string
  manager: Manager
  name?: string
  drive?: string
}

interface InstallArguments extends WhichArguments {
  dir?: string
  mountpoint?: string
  listen?: string
  publicUrl?: string
  policy?: string
  scheme?: string
  passphraseFile?: string
  program?: string
  runAs?: string
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/
const USER_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/
/** A line end would begin another setting; a manager's file is text. */
const CONTROL = /[\u0000-\u001f\u007f]/

function declareWhich(yargs: Argv): Argv {
  return yargs
    .positional('what', { choices: KINDS, demandOption: true, describe: 'which mode' })
    .option('user', { type: 'boolean', describe: 'a service of yours (the default, unless you are root)' })
    .option('system', { type: 'boolean', describe: 'a service of the machine (the default for root)' })
    .option('root', { type: 'string', describe: 'another root directory, for packages: nothing is started' })
    .option('manager', {
      choices: ['systemd', 'launchd'] as const,
      default: (process.platform === 'darwin' ? 'launchd' : 'systemd') as Manager,
      describe: 'whose service it is',
    })
    .option('name', { type: 'string', describe: 'tells a second host or bridge of this machine from the first' })
    .option('drive', { type: 'string', describe: 'for mount: name of the drive (main)' })
}

const install: Command<InstallArguments> = {
  declare: (yargs: Argv) =>
    declareWhich(yargs)
      .option('dir', { type: 'string', describe: 'folder of the host or bridge, state directory of the drive' })
      .option('mountpoint', { type: 'string', describe: 'for mount: where the drive appears' })
      .option('listen', { type: 'string', describe: 'for bridge: address to listen on' })
      .option('public-url', { type: 'string', describe: 'for bridge: how the outside reaches it' })
      .option('policy', { choices: ['single-machine', 'standard'], describe: 'for bridge: how shards are spread' })
      .option('scheme', { type: 'string', describe: 'for bridge: shards needed / shards made' })
      .option('passphrase-file', { type: 'string', describe: 'for mount: passphrase of the key file' })
      .option('program', { type: 'string', describe: 'path of shardrive on that machine (default: this one)' })
      .option('run-as', { type: 'string', describe: 'user of a service of the machine (default: one of its own)' })
      .example('sudo shardrive service install host --dir /srv/shardrive', 'and what to do next is said')
      .example(
        'shardrive service install mount --mountpoint ~/drive',
        'mounted at each login',
      ) as unknown as Argv<InstallArguments>,
  async run(args: Arguments<InstallArguments>, terminal: Terminal) {
    const order = orderOf(args)
    const { installService } = await import('../services/install.js')
    const outcome = await installService(order, rootOf(args))
    terminal.result({ ...outcome, scope: order.scope }, [
      ...outcome.files.map(({ file, change }) => `${change.padEnd(10)}${file}`),
      ...outcome.ran.map((words) => `${'ran'.padEnd(10)}${words}`),
      ...outcome.next.map((words, at) => `${(at === 0 ? 'next' : '').padEnd(10)}${words}`),
    ])
  },
}

const remove: Command<WhichArguments> = {
  declare: (yargs: Argv) =>
    declareWhich(yargs).example(
      'sudo shardrive service remove host',
      'its data stays; where that is is said',
    ) as unknown as Argv<WhichArguments>,
  async run(args: Arguments<WhichArguments>, terminal: Terminal) {
    const { removeService } = await import('../services/install.js')
    const root = rootOf(args)
    const scope = scopeOf(args)
    const name = nameOf(args)
    const forAll = root !== null && scope === 'user' && args.name === undefined && args.drive === undefined
    const outcome = await removeService({ kind: args.what, scope, manager: args.manager, name, forAll }, root)
    terminal.result({ ...outcome, scope }, [
      ...outcome.ran.map((words) => `${'ran'.padEnd(10)}${words}`),
      ...outcome.files.map(({ file, change }) => `${change.padEnd(10)}${file}`),
      `${'kept'.padEnd(10)}${outcome.dir} (its data; delete it by hand if nobody needs it)`,
      ...outcome.next.map((words, at) => `${(at === 0 ? 'next' : '').padEnd(10)}${words}`),
    ])
  },
}

const status: Command<{ root?: string; manager: Manager }> = {
  declare: (yargs: Argv) =>
    yargs
      .option('root', { type: 'string', describe: 'another root directory' })
      .option('manager', {
        choices: ['systemd', 'launchd'] as const,
        default: (process.platform === 'darwin' ? 'launchd' : 'systemd') as Manager,
        describe: 'whose services',
      })
      .example('shardrive service status', 'the services that were installed here') as unknown as Argv<{
      root?: string
      manager: Manager
    }>,
  async run(args, terminal) {
    const { findServices } = await import('../services/install.js')
    const services = await findServices(args.manager, rootOf(args))
    const lines = services.flatMap(({ unit, scope, state, says, dir, file }) => [
      `${unit} (${scope}): ${state ?? 'installed'}${says === null ? '' : `, ${says}`}`,
      `  data in ${dir}, unit ${file}`,
    ])
    terminal.result({ services }, lines.length === 0 ? 'no service of shardrive is installed here' : lines)
  },
}

export const command: CommandGroup = {
  subCommands: [
    {
      usage: 'install <what>',
      summary: 'host, bridge or mount: start it with the machine or your login',
      command: install,
    },
    { usage: 'remove <what>', summary: 'end it and take its unit away; its data stays', command: remove },
    { usage: 'status', summary: 'which services are installed, and how they are', command: status },
  ],
}

function rootOf({ root }: { root?: string }): string | null {
  return root === undefined ? null : path.resolve(clean('--root', root))
}

function scopeOf({ user, system }: WhichArguments): Scope {
  if (user === true && system === true) throw new AppError('usage', '--user and --system exclude each other')
  if (user === true) return 'user'
  return system === true || process.geteuid?.() === 0 ? 'system' : 'user'
}

/** Of a mount it is the drive's. */
function nameOf({ what, name, drive }: WhichArguments): string | null {
  if (what === 'mount') {
    if (name !== undefined)
      throw new AppError('usage', '--name is for host and bridge; a mount is named by its --drive')
    return checkDriveName(drive ?? 'main')
  }
  if (drive !== undefined) throw new AppError('usage', `--drive is for mount, not for ${what}`)
  if (name === undefined || NAME.test(name)) return name ?? null
  throw new AppError('usage', '--name takes letters, digits, dots, dashes and underscores')
}

function orderOf(args: Arguments<InstallArguments>): Order {
  const { what: kind, manager } = args
  const scope = scopeOf(args)
  const name = nameOf(args)
  const { words, mountPoint } = placeWords(args, scope, name)
  const isMine = kind === 'mount' && scope === 'user'
  const usual = isMine ? stateDirOf(undefined, name ?? 'main') : usualDir(kind, scope, manager, name)
  const said = [args.dir, args.mountpoint, args.name, args.drive]
  const forAll = args.root !== undefined && scope === 'user' && said.every((one) => one === undefined)
  return {
    ...{ kind, scope, manager, name, words, mountPoint, forAll },
    dir: forAll ? `~/.local/state/shardrive${kind === 'mount' ? '' : `-${kind}`}` : placed('--dir', args.dir ?? usual),
    program: programOf(args.program),
    runAs: runAsOf(args, scope),
  }
}

/** Options that the mode itself takes, handed on as they are. */
const HANDED_ON = [
  ['bridge', 'listen', 'listen'],
  ['bridge', 'publicUrl', 'public-url'],
  ['bridge', 'policy', 'policy'],
  ['bridge', 'scheme', 'scheme'],
  ['mount', 'passphraseFile', 'passphrase-file'],
] as const

function placeWords(args: InstallArguments, scope: Scope, name: string | null) {
  const { what, mountpoint } = args
  if (mountpoint !== undefined && what !== 'mount')
    throw new AppError('usage', `--mountpoint is for mount, not for ${what}`)
  const words = HANDED_ON.flatMap(([kind, key, option]) => {
    const value = args[key]
    if (value === undefined) return []
    if (kind !== what) throw new AppError('usage', `--${option} is for ${kind}, not for ${what}`)
    if (option === 'scheme') parseScheme(value)
    const isPlace = option === 'passphrase-file'
    return [`--${option}`, isPlace ? placed(`--${option}`, value) : clean(`--${option}`, value)]
  })
  const place = mountpoint ?? usualMountPoint(scope, name ?? 'main')
  return { words, mountPoint: what === 'mount' ? placed('--mountpoint', place) : null }
}

function runAsOf({ what, manager, runAs }: InstallArguments, scope: Scope): string | null {
  if (runAs !== undefined) {
    if (scope === 'user') throw new AppError('usage', '--run-as is for services of the machine; yours run as you')
    if (what === 'mount') throw new AppError('usage', '--run-as is for host and bridge; a drive of one user: --user')
    if (!USER_NAME.test(runAs)) throw new AppError('usage', `'${runAs}' is no name of a user`)
    return runAs
  }
  if (manager === 'systemd' || scope === 'user' || what === 'mount') return null
  throw new AppError('usage', 'launchd brings no user for this service: say whose it is with --run-as')
}

/** This very program, or the one that is named. */
function programOf(program: string | undefined): string[] {
  if (program === undefined) return [process.execPath, realpathSync(process.argv[1] as string)]
  if (path.isAbsolute(program)) return [clean('--program', program)]
  throw new AppError('usage', '--program takes a whole path, like /usr/bin/shardrive')
}

function placed(option: string, place: string): string {
  return path.resolve(clean(option, place))
}

function clean(option: string, text: string): string {
  if (text !== '' && !CONTROL.test(text)) return text
  throw new AppError('usage', `${option} is empty or has characters that no name has`)
}
