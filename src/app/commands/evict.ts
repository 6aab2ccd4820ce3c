/** `shardrive evict PATH…`: drops the cached bytes of files that are stored. */
import type { Argv } from 'yargs'
import type { Arguments, Command } from '../command.js'
import { formatBytes } from '../numbers.js'
import { namedFiles } from '../pin-paths.js'
import type { Terminal } from '../terminal.js'

interface EvictArguments {
  paths: string[]
  state?: string
}

export const command: Command<EvictArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'files, or folders' })
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .example(
        'shardrive evict ~/drive/Films',
        'they stay on hosts, and come again when they are read',
      ) as unknown as Argv<EvictArguments>,
  async run(args: Arguments<EvictArguments>, terminal: Terminal) {
    const { workWithDaemon } = await import('../daemon-answers.js')
    const { drive, inos } = await namedFiles(args.paths, args.state)
    const facts = await workWithDaemon(drive, 'evict', { inos })
    terminal.result({ paths: args.paths, ...facts }, evictedLines(facts as unknown as EvictedFacts))
    return undefined
  },
}

interface EvictedFacts {
  files: number
  bytes: number
  pinnedFiles: number
  localFiles: number
}

function evictedLines({ files, bytes, pinnedFiles, localFiles }: EvictedFacts): string[] {
  return [
    files === 0 ? 'nothing of it was in the cache' : `${formatBytes(bytes)} of ${files} files are free again`,
    ...(pinnedFiles > 0 ? [`${pinnedFiles} pinned files were left alone`] : []),
    ...(localFiles > 0
      ? [`${localFiles} files that are only here so far were left alone: shardrive sync stores them`]
      : []),
  ]
}
