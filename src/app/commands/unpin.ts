/** `shardrive unpin PATH…`: what is here may be evicted again. */
import type { Argv } from 'yargs'
import type { Arguments, Command } from '../command.js'
import { namedFiles } from '../pin-paths.js'
import type { Terminal } from '../terminal.js'

interface UnpinArguments {
  paths: string[]
  state?: string
}

export const command: Command<UnpinArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'what was pinned' })
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .example(
        'shardrive unpin ~/drive/Music',
        'it stays on this disk until its room is needed, or until shardrive evict',
      ) as unknown as Argv<UnpinArguments>,
  async run(args: Arguments<UnpinArguments>, terminal: Terminal) {
    const { workWithDaemon } = await import('../daemon-answers.js')
    const { drive, inos } = await namedFiles(args.paths, args.state)
    await workWithDaemon(drive, 'unpin', { inos })
    terminal.result({ paths: args.paths }, 'not pinned any more')
    return undefined
  },
}
