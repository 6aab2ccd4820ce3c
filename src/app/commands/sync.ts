/** `shardrive sync [PATH]`: waits until everything so far is stored on hosts. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { checkWhole, formatBytes, formatDuration } from '../numbers.js'
import type { Progress } from '../progress.js'
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
    checkWhole('--timeout', args.timeout, 1, 31_536_000)
    const drive = await findRunningDrive(args.state, args.path)
    const stop = listenForStop()
    const late = args.timeout === undefined ? null : AbortSignal.timeout(args.timeout * 1_000)
    const signal = late === null ? stop.signal : AbortSignal.any([stop.signal, late])
    const watch = new SyncWatch(terminal)
    try {
      const options = { progress: (value: Record<string, unknown>) => watch.note(value), signal }
      const facts = await callDaemon(drive.control, 'sync', { complete: args.complete }, options)
      await watch.end()
      terminal.result(facts, syncLines(facts as unknown as SyncFacts))
    } catch (error) {
      await watch.end()
      if (late?.aborted) {
        throw new AppError('timed-out', `not everything was stored in ${args.timeout} s`, {
          cause: error,
          retry: 'later',
          hint: 'shardrive status says what is missing',
        })
      }
      if (!stop.signal.aborted) throw error
      const stopped = new AppError('interrupted', 'stopped waiting; the drive goes on storing by itself', {
        hint: 'shardrive status says how far it is',
      })
      return terminal.fail(stopped, stop.exitCode)
    } finally {
      stop.release()
    }
    return undefined
  },
}

interface SyncFacts {
  bytes: number
  tookMs: number
  stored: StoredFacts | null
}

function syncLines({ bytes, tookMs, stored }: SyncFacts): string[] {
  const done = `stored: ${formatBytes(bytes)} in ${formatDuration(tookMs)}`
  return [bytes === 0 ? 'everything is stored: nothing was waiting' : done, ...storedLines(stored)]
}

/** Remarks of one kind come at most this often. */
const REMARK_EVERY_MS = 5_000

/** What a person sees while it waits: a bar of bytes, then what is missing on hosts, and why it takes long. */
class SyncWatch {
  private readonly terminal: Terminal
  private bar: Promise<Progress> | null = null
  /** Never goes back: an epoch that is stored counts in full only when its record is in the chain. */
  private done = 0
  private saidTrouble = ''
  private saidFull = ''
  private saidFullAtMs = 0

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  note(value: Record<string, unknown>): void {
    const { total, left, trouble, segments, full } = value as {
      total?: number
      left?: number
      trouble?: { message: string } | null
      segments?: number
      full?: number
    }
    if (trouble && trouble.message !== this.saidTrouble) {
      this.saidTrouble = trouble.message
      this.terminal.warn(`waiting: ${trouble.message}`)
    }
    if (segments !== undefined) this.noteFull(`${full} of ${segments} segments are on all their hosts`)
    if (total === undefined || left === undefined || total === 0) return
    this.bar ??= this.terminal.progress('storing', total)
    this.done = Math.max(this.done, total - left)
    void this.bar.then((bar) => bar.update(this.done))
  }

  async end(): Promise<void> {
    const bar = this.bar
    if (bar !== null) (await bar).stop()
  }

  private noteFull(line: string): void {
    const nowMs = performance.now()
    if (this.terminal.json || line === this.saidFull || nowMs - this.saidFullAtMs < REMARK_EVERY_MS) return
    this.saidFull = line
    this.saidFullAtMs = nowMs
    this.terminal.warn(`waiting: ${line}`)
  }
}
