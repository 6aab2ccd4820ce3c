/** `shardrive bridge run`: coordinate a network of hosts. */
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

interface RunArguments {
  dir: string
  listen?: string
  policy?: 'single-machine' | 'standard'
  scheme?: string
  publicUrl?: string
  ice?: string[]
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
      .option('scheme', { type: 'string', describe: 'shards needed / shards made, for new data (4/8)' })
      .option('public-url', { type: 'string', describe: 'how the outside reaches this bridge, behind a proxy' })
      .option('ice', { type: 'string', array: true, describe: 'STUN and TURN servers for all peers' })
      .example(
        'shardrive bridge run --dir /var/lib/shardrive-bridge --listen 127.0.0.1:7400',
        'what is said once is remembered',
      ) as Argv<RunArguments>,
  run: runUntilStopped,
}

export const command: CommandGroup = {
  subCommands: [{ usage: 'run', summary: 'run a bridge until it is stopped', command: run }],
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

async function runUntilStopped(args: Arguments<RunArguments>, terminal: Terminal): Promise<void> {
  const manager = takeServiceManager()
  const stop = listenForStop()
  const gone = new Promise<void>((resolve) => followParent(resolve))
  tuneAllocator()
  const { runBridge } = await import('../bridge-process.js')
  const said: BridgeSettings = {
    ...(args.listen === undefined ? {} : { listen: args.listen }),
    ...(args.policy === undefined ? {} : { policy: args.policy }),
    ...(args.scheme === undefined ? {} : { scheme: parseScheme(args.scheme) }),
    ...(args.publicUrl === undefined ? {} : { publicUrl: args.publicUrl }),
    ...(args.ice === undefined ? {} : { ice: args.ice }),
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
