/** `shardrive pin PATH…`: keeps files and folders on this machine. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { formatBytes } from '../numbers.js'
import { namedFiles } from '../pin-paths.js'
import type { Progress } from '../progress.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'

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
    const { callDaemon } = await import('../../mount/control/client.js')
    const { drive, inos } = await namedFiles(args.paths, args.state)
    const stop = listenForStop()
    const watch = new PinWatch(terminal)
    try {
      const options = { progress: (value: Record<string, unknown>) => watch.note(value), signal: stop.signal }
      const facts = await callDaemon(drive.control, 'pin', { inos, wait: args.wait }, options)
      await watch.end()
      const bytes = facts.bytes as number | null
      const how = bytes === null ? 'the drive fetches what is missing' : `${formatBytes(bytes)} are here`
      terminal.result({ paths: args.paths, bytes }, `pinned: ${how}`)
    } catch (error) {
      await watch.end()
      if (!stop.signal.aborted) throw error
      const stopped = new AppError('interrupted', 'stopped waiting; it stays pinned, and the drive goes on fetching', {
        hint: 'shardrive status PATH says how far it is, shardrive unpin PATH ends it',
      })
      return terminal.fail(stopped, stop.exitCode)
    } finally {
      stop.release()
    }
    return undefined
  },
}

/** A bar of bytes; why it takes long, once for each reason. */
class PinWatch {
  private readonly terminal: Terminal
  private bar: Promise<Progress> | null = null
  private said = ''

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  note(value: Record<string, unknown>): void {
    const { total, left, trouble } = value as { total: number; left: number; trouble: { message: string } | null }
    if (trouble !== null && trouble.message !== this.said) {
      this.said = trouble.message
      this.terminal.warn(`waiting: ${trouble.message}`)
    }
    if (total === 0) return
    this.bar ??= this.terminal.progress('fetching', total)
    void this.bar.then((bar) => bar.update(total - left, '', total))
  }

  async end(): Promise<void> {
    if (this.bar !== null) (await this.bar).stop()
  }
}
