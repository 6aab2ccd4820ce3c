/** `shardrive up`: everything on this machine, to try it and to test with. */
import { writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { checkWhole, parseHostSpace } from '../numbers.js'
import { standardPaths } from '../paths.js'
import { takeServiceManager } from '../service-notify.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'
import { parseScheme } from './bridge.js'

interface UpArguments {
  mountpoint?: string
  hosts: number
  scheme: string
  dir?: string
  hostSpace: string
  mount: boolean
  readyFile?: string
}

const HOSTS_MAX = 64

/** How commands are typed here: in a checkout under npm, npx finds the program. */
const typed = process.env.npm_lifecycle_event === undefined ? 'shardrive' : 'npx shardrive'

export const command: Command<UpArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', describe: 'where the drive appears (default: ~/shardrive)' })
      .option('hosts', { type: 'number', default: 8, describe: 'how many hosts' })
      .option('scheme', { type: 'string', default: '4/8', describe: 'shards needed / shards made' })
      .option('dir', {
        type: 'string',
        describe: 'where the network keeps its data (default: ~/.local/state/shardrive/up)',
      })
      .option('host-space', { type: 'string', default: '64GiB', describe: 'what each host lends' })
      .option('mount', { type: 'boolean', default: true, describe: 'mount a drive (--no-mount: only the network)' })
      .option('ready-file', {
        type: 'string',
        describe: 'write the facts of the network to this file when it is ready',
      })
      .example(
        'shardrive up ~/drive',
        'Ctrl-C ends it; the next start brings everything back',
      ) as unknown as Argv<UpArguments>,
  async run(args: Arguments<UpArguments>, terminal: Terminal) {
    // Whoever waits for this process must not take a child for it.
    takeServiceManager()
    const stop = listenForStop()
    checkWhole('--hosts', args.hosts, 1, HOSTS_MAX)
    const hostBytes = parseHostSpace(args.hostSpace, '--host-space')
    const { dataShards, totalShards } = parseScheme(args.scheme)
    if (args.hosts < Math.min(dataShards + 2, totalShards)) {
      throw new AppError('usage', `${args.hosts} hosts are too few for the scheme ${args.scheme}`, {
        hint: `start at least ${Math.min(dataShards + 2, totalShards)}, or choose a smaller --scheme`,
      })
    }
    const paths = standardPaths({ env: process.env, home: os.homedir(), platform: process.platform })
    const { startLocalNetwork } = await import('../local-network.js')
    const mountPoint = args.mount ? path.resolve(args.mountpoint ?? path.join(os.homedir(), 'shardrive')) : null
    terminal.say('Starting a network on this machine ...')
    const network = await startLocalNetwork({
      dir: args.dir ?? path.join(paths.stateDir, 'up'),
      mountPoint,
      hosts: args.hosts,
      scheme: args.scheme,
      hostBytes,
      say: (line) => terminal.say(`  ${line}`),
      warn: (line) => terminal.warn(line),
      ended: (what, again) => terminal.warn(`${what}; to bring it back: ${typed} ${again}`),
    })
    const { facts } = network
    if (args.readyFile !== undefined) writeFileSync(args.readyFile, `${JSON.stringify(facts)}\n`, { mode: 0o600 })
    terminal.result(facts, readyLines(facts))
    await stop.waitWith()
    terminal.say('Stopping: the drive first, then hosts and bridge ...')
    await network.stop()
    terminal.say('Stopped. Nothing is left running; the next start brings everything back.')
  },
}

function readyLines(facts: { mount: string | null; phraseFile: string; state: string }): string[] {
  const drive =
    facts.mount === null
      ? ['  no drive is mounted (--no-mount)']
      : [`  drive    ${facts.mount}`, '', `Your drive is at ${facts.mount}. Try, in another terminal:`, '']
  const tries =
    facts.mount === null ? [] : [`  cp -r ~/Pictures ${facts.mount}/`, `  ${typed} status`, `  ${typed} sync`]
  return [
    ...drive,
    ...tries,
    '',
    `The 24 words of this drive are in ${facts.phraseFile}.`,
    'All shards lie on this one machine: good for trying, not a backup. Ctrl-C stops everything.',
  ]
}
