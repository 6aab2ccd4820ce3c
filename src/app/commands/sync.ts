/** `shardrive sync [PATH]`: waits until everything so far is stored on hosts. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { formatBytes, formatDuration } from '../numbers.js'
import { findRunningDrive } from '../running-drives.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'
import { type StoredFacts, storedLines } from './status.js'

interface SyncArguments {
  path?: string
  state?: string
  complete: boolean
  timeout?: number
}

export const command: Command<SyncArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('path', { type: 'string', describe: 'any path of the drive: its drive is meant, all of it' })
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .option('complete', {
        type: 'boolean',
        default: false,
        describe: 'wait until every shard is on its host (n of n)',
      })
      .option('timeout', { type: 'number', describe: 'give up after so many seconds (exit code 8)' })
      .example(
        'shardrive sync && echo stored',
        'for scripts: exit code 0 means stored',
      ) as unknown as Argv<SyncArguments>,
  async run(args: Arguments<SyncArguments>, terminal: Terminal) {
    const { callDaemon } = await import('../../mount/control/client.js')
    const drive = await findRunningDrive(args.state, args.path)
    const stop = listenForStop()
    const late = args.timeout === undefined ? null : AbortSignal.timeout(args.timeout * 1_000)
    const signal = late === null ? stop.signal : AbortSignal.any([stop.signal, late])
    let bar: Awaited<ReturnType<Terminal['progress']>> | null = null
    let said = ''
    const onProgress = async (value: Record<string, unknown>) => {
      const { total, left, trouble } = value as { total?: number; left?: number; trouble?: { message: string } | null }
      if (trouble && trouble.message !== said) {
        said = trouble.message
        terminal.warn(`waiting: ${said}`)
      }
      if (total === undefined || left === undefined || total === 0) return
      bar ??= await terminal.progress('storing', total)
      bar.update(Math.max(0, total - left))
    }
    try {
      const facts = await callDaemon(
        drive.control,
        'sync',
        { complete: args.complete },
        { progress: (value) => void onProgress(value), signal },
      )
      const { bytes, tookMs, stored } = facts as { bytes: number; tookMs: number; stored: StoredFacts | null }
      terminal.result(facts, [`stored: ${formatBytes(bytes)} in ${formatDuration(tookMs)}`, ...storedLines(stored)])
    } catch (error) {
      if (late?.aborted) {
        throw new AppError('timed-out', `not everything was stored in ${args.timeout} s`, {
          cause: error,
          retry: 'later',
          hint: 'shardrive status says what is missing',
        })
      }
      if (stop.signal.aborted) return stop.exitCode
      throw error
    } finally {
      ;(bar as { stop(): void } | null)?.stop()
      stop.release()
    }
    return undefined
  },
}
