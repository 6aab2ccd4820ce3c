/** `shardrive host init | run`: lend disk space to the network. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { openLog } from '../../base/log.js'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { tuneMemory } from '../memory.js'
import { checkWhole, formatBytes, parseHostSpace } from '../numbers.js'
import { followParent, leaveParent, tellParent } from '../parent.js'
import { hostLine } from '../service-lines.js'
import { takeServiceManager } from '../service-notify.js'
import { listenForStop } from '../stop.js'
import { reportOf, type Terminal } from '../terminal.js'

interface InitArguments {
  dir: string
  bridge: string
  space: string
  domain?: string
  udpPort?: number
}

const init: Command<InitArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', {
        type: 'string',
        demandOption: true,
        describe: 'folder that will hold the shards and the identity of this host',
      })
      .option('bridge', { type: 'string', demandOption: true, describe: 'address of the bridge' })
      .option('space', { type: 'string', demandOption: true, describe: 'how much to lend, like 500GiB' })
      .option('domain', { type: 'string', describe: 'who operates this host: hosts of one operator share no data' })
      .option('udp-port', { type: 'number', describe: 'one fixed UDP port, for a router that forwards it' })
      .example(
        'shardrive host init --dir /srv/shardrive --bridge https://bridge.example.org --space 500GiB',
        '',
      ) as unknown as Argv<InitArguments>,
  async run(args: Arguments<InitArguments>, terminal: Terminal) {
    const { initHost } = await import('../host-process.js')
    const capacityBytes = parseHostSpace(args.space)
    checkWhole('--udp-port', args.udpPort, 1, 65_535)
    const dir = path.resolve(args.dir)
    const host = await initHost({
      dir,
      bridgeUrl: args.bridge,
      capacityBytes,
      ...(args.domain === undefined ? {} : { domain: args.domain }),
      ...(args.udpPort === undefined ? {} : { udpPort: args.udpPort }),
    })
    terminal.result({ host, dir, capacityBytes }, [
      `host ${host} lends ${formatBytes(capacityBytes)}`,
      `start it with: shardrive host run --dir ${dir}`,
    ])
  },
}

interface RunArguments {
  dir: string
}

const run: Command<RunArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', demandOption: true, describe: 'folder made by host init' })
      .example('shardrive host run --dir /srv/shardrive', 'serves until it is stopped') as Argv<RunArguments>,
  async run(args: Arguments<RunArguments>, terminal: Terminal) {
    const manager = takeServiceManager()
    const stop = listenForStop()
    const gone = new Promise<void>((resolve) => followParent(resolve))
    tuneMemory()
    const { runHost } = await import('../host-process.js')
    const log = openLog('host')
    manager.useLog(log)
    manager.tell('starting: opening the store')
    const running = await runHost(path.resolve(args.dir), log).catch((error: unknown) => {
      manager.failed(error)
      tellParent({ failed: reportOf(error) })
      leaveParent()
      throw error
    })
    const { host } = running
    await manager.ready(async () => hostLine(await host.life()))
    const facts = { id: host.host, pid: process.pid, dir: args.dir }
    tellParent({ ready: facts })
    terminal.result(facts, `host ${host.host} serves from ${args.dir}`)
    const failure = await stop.waitWith<unknown>(gone, running.failed)
    manager.stopping()
    await running.stop()
    leaveParent()
    if (failure instanceof AppError) {
      manager.failed(failure)
      throw failure
    }
  },
}

export const command: CommandGroup = {
  subCommands: [
    { usage: 'init', summary: 'make this machine a host: its identity, its folder, what it lends', command: init },
    { usage: 'run', summary: 'serve shards until stopped', command: run },
  ],
}
