/** `shardrive host run`: serve shards until stopped. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { openLog } from '../../base/log.js'
import type { Arguments, Command } from '../command.js'
import { tuneMemory } from '../memory.js'
import { followParent, leaveParent, tellParent } from '../parent.js'
import { takeServiceManager } from '../service-notify.js'
import { listenForStop } from '../stop.js'
import { reportOf, type Terminal } from '../terminal.js'

interface RunArguments {
  dir: string
}

export const run: Command<RunArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', demandOption: true, describe: 'folder made by host init' })
      .example('shardrive host run --dir /srv/shardrive', 'serves until it is stopped') as Argv<RunArguments>,
  async run(args: Arguments<RunArguments>, terminal: Terminal) {
    const manager = takeServiceManager()
    const stop = listenForStop()
    const gone = new Promise<void>((resolve) => followParent(resolve))
    tuneMemory()
    const { HostDaemon } = await import('../host-daemon.js')
    const log = openLog('host')
    manager.useLog(log)
    manager.tell('starting: opening the store')
    const daemon = await HostDaemon.start(path.resolve(args.dir), log).catch((error: unknown) => {
      manager.failed(error)
      tellParent({ failed: reportOf(error) })
      leaveParent()
      throw error
    })
    await manager.ready(() => daemon.line())
    const facts = { id: daemon.host, pid: process.pid, dir: args.dir }
    tellParent({ ready: facts })
    terminal.result(facts, `host ${daemon.host} serves from ${args.dir}`)
    const failure = await stop.waitWith<unknown>(gone, daemon.failed)
    manager.stopping()
    await daemon.stop()
    leaveParent()
    if (failure instanceof AppError) {
      manager.failed(failure)
      throw failure
    }
  },
}
