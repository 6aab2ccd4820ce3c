/** `shardrive sync [PATH]`: waits until everything so far is stored on hosts. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { linkSignal } from '../../base/linked-signal.js'
import type { Arguments, Command } from '../command.js'
import { checkWhole, formatBytes, formatDuration } from '../numbers.js'
import { findRunningDrive } from '../running-drives.js'
import type { Terminal } from '../terminal.js'
import { WaitWatch, waitFor } from '../waiting.js'
import { type StoredFacts, storedLines } from './status.js'

interface SyncArguments {
  path?: string
  state?: string
  complete: boolean
  timeout?: number
}

/** 24 days: a timer of Node takes no more milliseconds than fit into 31 bits, and fires at once with more. */
const TIMEOUT_S_MAX = 2_147_483

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
    const { workWithDaemon } = await import('../daemon-answers.js')
    checkWhole('--timeout', args.timeout, 1, TIMEOUT_S_MAX)
    const drive = await findRunningDrive(args.state, args.path)
    const watch = new SyncWatch(terminal)
    const progress = (value: object) => watch.note(value)
    const work = async (stop: AbortSignal) => {
      const limit = linkSignal(stop, timeoutOf(args))
      try {
        return await workWithDaemon(drive, 'sync', { complete: args.complete }, { progress, signal: limit.signal })
      } finally {
        limit.release()
      }
    }
    const waited = await waitFor(terminal, { watch, work, stopped })
    if ('exitCode' in waited) return waited.exitCode
    terminal.result(waited.value, syncLines(waited.value as unknown as SyncFacts))
    return undefined
  },
}

function timeoutOf({ timeout }: SyncArguments) {
  if (timeout === undefined) return undefined
  const late = () =>
    new AppError('timed-out', `not everything was stored in ${timeout} s`, {
      retry: 'later',
      hint: 'shardrive status says what is missing',
    })
  return { ms: timeout * 1_000, reason: late }
}

function stopped(): AppError {
  return new AppError('interrupted', 'stopped waiting; the drive goes on storing by itself', {
    hint: 'shardrive status says how far it is',
  })
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

interface SyncProgress {
  total?: number
  left?: number
  trouble?: { message: string } | null
  segments?: number
  full?: number
}

/** A bar of bytes, then what is missing on hosts. */
class SyncWatch extends WaitWatch {
  /** Never goes back: an epoch that is stored counts in full only when its record is in the chain. */
  private done = 0
  private saidFull = ''
  private saidFullAtMs = 0

  constructor(terminal: Terminal) {
    super(terminal, 'storing')
  }

  note({ total, left, trouble, segments, full }: SyncProgress): void {
    this.trouble(trouble)
    if (segments !== undefined) this.noteFull(`${full} of ${segments} segments are on all their hosts`)
    if (total === undefined || left === undefined) return
    this.done = Math.max(this.done, total - left)
    this.amount(this.done, total)
  }

  private noteFull(line: string): void {
    const nowMs = performance.now()
    if (this.terminal.json || line === this.saidFull || nowMs - this.saidFullAtMs < REMARK_EVERY_MS) return
    this.saidFull = line
    this.saidFullAtMs = nowMs
    this.terminal.warn(`waiting: ${line}`)
  }
}
