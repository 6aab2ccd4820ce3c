/** `shardrive bridge run | status | backup | restore | reconcile | fsck`: coordinate a network of hosts. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { openLog } from '../../base/log.js'
import type { Scheme } from '../../model/segment.js'
import type { BridgeSettings } from '../bridge-settings.js'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { tuneAllocator } from '../memory.js'
import { followParent, leaveParent, tellParent } from '../parent.js'
import { bridgeLine } from '../service-lines.js'
import { takeServiceManager } from '../service-notify.js'
import { listenForStop } from '../stop.js'
import { reportOf, type Terminal } from '../terminal.js'
import { bookCommands } from './bridge-books.js'

interface RunArguments {
  dir: string
  listen?: string
  policy?: 'single-machine' | 'standard'
  scheme?: string
  publicUrl?: string
  ice?: string[]
  role: 'bridge' | 'repair'
  worker?: string[]
  repairs?: 'here' | 'workers'
  bridge?: string
  behindProxy?: boolean
}

const run: Command<RunArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', demandOption: true, describe: 'folder of this bridge: its key and database' })
      .option('listen', { type: 'string', describe: 'address to listen on (first start: 127.0.0.1:7400)' })
      .option('policy', {
        choices: ['single-machine', 'standard'] as const,
        describe: 'how shards are spread over hosts',
      })
      .option('scheme', {
        type: 'string',
        describe: 'shards needed / shards made, for new data: like 4/8, or ladder: what the hosts carry',
      })
      .option('public-url', { type: 'string', describe: 'how the outside reaches this bridge, behind a proxy' })
      .option('role', {
        choices: ['bridge', 'repair'] as const,
        default: 'bridge' as const,
        describe: 'repair: a worker beside a bridge, with a folder and a key of its own',
      })
      .option('worker', { type: 'string', array: true, describe: 'keys of the repair workers of this bridge' })
      .option('repairs', {
        choices: ['here', 'workers'] as const,
        describe: 'workers: leave repairs to them (here)',
      })
      .option('bridge', { type: 'string', describe: 'of a repair worker: the address of its bridge (first start)' })
      .option('ice', { type: 'string', array: true, describe: 'STUN and TURN servers for all peers' })
      .option('behind-proxy', {
        type: 'boolean',
        describe: 'a proxy in front says in x-forwarded-for where requests come from',
      })
      .example(
        'shardrive bridge run --dir /var/lib/shardrive-bridge --listen 127.0.0.1:7400',
        'what is said once is remembered',
      ) as Argv<RunArguments>,
  run: runUntilStopped,
}

const status: Command<{ dir: string }> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', demandOption: true, describe: 'folder of the bridge' })
      .example('shardrive bridge status --dir /var/lib/shardrive-bridge', '') as Argv<{ dir: string }>,
  async run(args: Arguments<{ dir: string }>, terminal: Terminal) {
    const { readBridgeStatus, statusLines } = await import('../bridge-status.js')
    const found = await readBridgeStatus(args.dir)
    terminal.result(found, statusLines(found))
  },
}

export const command: CommandGroup = {
  subCommands: [
    { usage: 'run', summary: 'run a bridge, or a repair worker beside one, until it is stopped', command: run },
    { usage: 'status', summary: 'hosts, repairs and garbage of a running bridge', command: status },
    ...bookCommands,
  ],
}

/** `4/8` -> k, n. */
export function parseScheme(text: string): Scheme {
  const parts = /^(\d{1,3})\/(\d{1,3})$/.exec(text)
  const scheme = { dataShards: Number(parts?.[1]), totalShards: Number(parts?.[2]) }
  if (parts === null || scheme.dataShards < 1 || scheme.totalShards < scheme.dataShards || scheme.totalShards > 255) {
    throw new AppError('usage', `'${text}' is not a scheme`, { hint: 'write it like 4/8: 4 of 8 shards are enough' })
  }
  return scheme
}

function parseKey(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text
  throw new AppError('usage', `'${text}' is not a key`, { hint: 'a repair worker prints its key when it starts' })
}

async function runWorker(args: Arguments<RunArguments>, terminal: Terminal): Promise<void> {
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  tuneAllocator()
  const { runRepairWorker } = await import('../repair-process.js')
  const worker = await runRepairWorker(args.dir, args.bridge, openLog('repair')).catch((error: unknown) => {
    tellParent({ failed: reportOf(error) })
    leaveParent()
    throw error
  })
  const facts = { bridge: worker.bridgeUrl, id: worker.key, pid: process.pid, dir: args.dir }
  tellParent({ ready: facts })
  terminal.result(facts, [
    `repair worker for ${worker.bridgeUrl} is up`,
    `  its key, for --worker of the bridge: ${worker.key}`,
  ])
  await stop.waitWith(gone)
  await worker.stop()
  leaveParent()
}

async function runUntilStopped(args: Arguments<RunArguments>, terminal: Terminal): Promise<void> {
  if (args.role === 'repair') return runWorker(args, terminal)
  const manager = takeServiceManager()
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  tuneAllocator()
  const { runBridge } = await import('../bridge-process.js')
  const said: BridgeSettings = {
    ...(args.listen === undefined ? {} : { listen: args.listen }),
    ...(args.policy === undefined ? {} : { policy: args.policy }),
    ...(args.scheme === undefined ? {} : { scheme: args.scheme === 'ladder' ? 'ladder' : parseScheme(args.scheme) }),
    repair: {
      ...(args.worker === undefined ? {} : { workers: args.worker.map(parseKey) }),
      ...(args.repairs === undefined ? {} : { inProcess: args.repairs === 'here' }),
    },
    ...(args.publicUrl === undefined ? {} : { publicUrl: args.publicUrl }),
    ...(args.ice === undefined ? {} : { ice: args.ice }),
    ...(args.behindProxy === undefined ? {} : { behindProxy: args.behindProxy }),
  }
  const log = openLog('bridge')
  manager.useLog(log)
  manager.tell('starting: opening the database')
  const bridge = await runBridge(args.dir, said, log).catch((error: unknown) => {
    manager.failed(error)
    tellParent({ failed: reportOf(error) })
    leaveParent()
    throw error
  })
  await manager.ready(async () => {
    await bridge.answers()
    return bridgeLine(bridge.url, bridge.hostsOnline().length)
  })
  const facts = { bridge: bridge.url, id: bridge.id, pid: process.pid, dir: args.dir }
  tellParent({ ready: facts })
  terminal.result(facts, [`bridge ${bridge.url} is up`, `  key ${bridge.id}`])
  await stop.waitWith(gone)
  manager.stopping()
  await bridge.stop()
  leaveParent()
}
