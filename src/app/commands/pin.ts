/** `shardrive pin PATH…`: keeps files and folders on this machine. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { formatBytes } from '../numbers.js'
import { namedFiles } from '../pin-paths.js'
import type { Terminal } from '../terminal.js'
import { WaitWatch, waitFor } from '../waiting.js'

interface PinArguments {
  paths: string[]
  state?: string
  wait: boolean
}

export const command: Command<PinArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'files, or folders with all that is and will be in them',
      })
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .option('wait', {
        type: 'boolean',
        default: true,
        describe: 'wait until all bytes are here; --no-wait leaves that to the drive',
      })
      .example(
        'shardrive pin ~/drive/Music',
        'to hear it where there is no network; Ctrl-C ends the waiting, not the pin',
      ) as unknown as Argv<PinArguments>,
  async run(args: Arguments<PinArguments>, terminal: Terminal) {
    const { workWithDaemon } = await import('../daemon-answers.js')
    const { drive, inos } = await namedFiles(args.paths, args.state)
    const watch = new WaitWatch(terminal, 'fetching')
    let isPinned = false
    const work = async (signal: AbortSignal) => {
      await workWithDaemon(drive, 'pin', { inos, wait: false }, { signal })
      isPinned = true
      if (!args.wait) return null
      const progress = (value: object) => note(watch, value as PinProgress)
      return (await workWithDaemon(drive, 'pin', { inos, wait: true }, { progress, signal })).bytes as number
    }
    const waited = await waitFor(terminal, { watch, work, stopped: () => stopped(isPinned) })
    if ('exitCode' in waited) return waited.exitCode
    const { value: bytes } = waited
    const how = bytes === null ? 'the drive fetches what is missing' : `${formatBytes(bytes)} are here`
    terminal.result({ paths: args.paths, bytes }, `pinned: ${how}`)
    return undefined
  },
}

interface PinProgress {
  total: number
  left: number
  trouble: { message: string } | null
}

function note(watch: WaitWatch, { total, left, trouble }: PinProgress): void {
  watch.trouble(trouble)
  watch.amount(total - left, total)
}

/** A pin is a wish that is on disk before anything is fetched: Ctrl-C ends the waiting for the bytes. */
function stopped(isPinned: boolean): AppError {
  if (isPinned) {
    return new AppError('interrupted', 'stopped waiting; it stays pinned, and the drive goes on fetching', {
      hint: 'shardrive status PATH says how far it is, shardrive unpin PATH ends it',
    })
  }
  return new AppError('interrupted', 'stopped before all of it was pinned', {
    hint: 'shardrive status PATH says whether it is; shardrive pin PATH pins what is not',
  })
}
