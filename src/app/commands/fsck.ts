/** `shardrive fsck`: checks a drive against itself and against the network; repairs what loses nothing. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError, isCode } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import type { FsckReport } from '../drive-fsck.js'
import { exitCodes } from '../exit-codes.js'
import { fsckLines } from '../fsck-lines.js'
import { parseBytes } from '../numbers.js'
import type { Progress } from '../progress.js'
import { findRunningDrive, listRunningDrives } from '../running-drives.js'
import { readSecret } from '../secret-input.js'
import { knownStateDir } from '../state-dir.js'
import type { Terminal } from '../terminal.js'
import { waitFor } from '../waiting.js'

interface FsckArguments {
  state?: string
  drive: string
  dryRun: boolean
  read: boolean
  rebuild: boolean
  passphraseFile?: string
}

/** As `mount` has it: a check does not make the cache smaller. */
const CACHE = '10GiB'

export const command: Command<FsckArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of a drive that is not mounted' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'look only: nothing is repaired' })
      .option('read', {
        type: 'boolean',
        default: false,
        describe: 'also fetch and verify everything that is stored (takes as long as reading the whole drive)',
      })
      .option('rebuild', {
        type: 'boolean',
        default: false,
        describe: 'let the next mount set the local database aside and build it again from the network',
      })
      .option('passphrase-file', {
        type: 'string',
        describe: 'passphrase of the key file of a drive that is not mounted',
      })
      .example('shardrive fsck', 'exit code 0: sound, or all of it repaired; 7: damaged')
      .example('shardrive fsck --dry-run --json', 'what it would find')
      .example('shardrive fsck --read', 'is every byte really there?') as unknown as Argv<FsckArguments>,
  async run(args: Arguments<FsckArguments>, terminal: Terminal) {
    if (args.rebuild) return rebuildNext(args, terminal)
    const watch = new Steps(terminal)
    const work = (signal: AbortSignal) => check(args, (step, done, total) => watch.note(step, done, total), signal)
    const stopped = () => new AppError('interrupted', 'the check was stopped before its end')
    const waited = await waitFor(terminal, { watch, work, stopped })
    if ('exitCode' in waited) return waited.exitCode
    const { value: report } = waited
    terminal.result(report, fsckLines(report))
    return report.findings.length === 0 ? exitCodes.ok : exitCodes.damaged
  },
}

type Note = (step: string, done: number, total: number) => void

async function check(args: Arguments<FsckArguments>, note: Note, signal: AbortSignal): Promise<FsckReport> {
  const { dryRun, read } = args
  const running = await mountedDrive(args)
  if (running !== null) {
    const { workWithDaemon } = await import('../daemon-answers.js')
    const progress = (value: Record<string, unknown>) =>
      note(String(value.step), Number(value.done), Number(value.total))
    return (await workWithDaemon(running, 'fsck', { dryRun, read }, { progress, signal })) as unknown as FsckReport
  }
  const stateDir = await knownStateDir(args.state, args.drive)
  const { deviceKeyNeedsPassphrase, readDriveFacts } = await import('../../mount/account/drive-files.js')
  readDriveFacts(stateDir)
  const source = { file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' }
  const passphrase = await readSecret({
    ...source,
    ...(deviceKeyNeedsPassphrase(stateDir) ? { question: 'Passphrase: ' } : {}),
  })
  const { checkUnmounted } = await import('../drive-check.js')
  try {
    return await checkUnmounted({ stateDir, passphrase, dryRun, read, cacheBytes: parseBytes(CACHE) }, note, signal)
  } finally {
    passphrase?.wipe()
  }
}

/** The daemon that serves the drive that is meant; null: it is not mounted. */
async function mountedDrive({ state, drive }: FsckArguments) {
  if (state !== undefined) {
    const place = path.resolve(state)
    return (await listRunningDrives()).find((one) => one.state === place) ?? null
  }
  try {
    if (drive === 'main') return await findRunningDrive(undefined)
    const place = await knownStateDir(undefined, drive)
    return (await listRunningDrives()).find((one) => one.state === place) ?? null
  } catch (error) {
    if (isCode(error, 'daemon-not-running')) return null
    throw error
  }
}

async function rebuildNext(args: Arguments<FsckArguments>, terminal: Terminal): Promise<undefined> {
  const stateDir = (await mountedDrive(args))?.state ?? (await knownStateDir(args.state, args.drive))
  const { readDriveFacts } = await import('../../mount/account/drive-files.js')
  const { suspectLedger } = await import('../../mount/account/set-aside.js')
  readDriveFacts(stateDir)
  suspectLedger(stateDir, { reason: 'it was asked for: shardrive fsck --rebuild', isWish: true })
  terminal.result({ state: stateDir, rebuild: true }, [
    'the next mount sets the local database aside, builds it again from the network, and carries over what is only here',
    '  shardrive unmount MOUNTPOINT, if it is mounted, then: shardrive mount MOUNTPOINT',
  ])
  return undefined
}

const LABELS: Readonly<Record<string, string>> = {
  ledger: 'the ledger',
  staged: 'bytes that are only here',
  cache: 'the cache',
  placement: 'asking the bridge',
  read: 'reading everything',
}
const COUNTED = new Set(['ledger', 'placement', 'read'])

/** One bar after the other. */
class Steps {
  private readonly terminal: Terminal
  private step = ''
  private bar: Promise<Progress> | null = null

  constructor(terminal: Terminal) {
    this.terminal = terminal
  }

  note(step: string, done: number, total: number): void {
    if (step !== this.step) {
      const before = this.bar
      this.step = step
      const format = COUNTED.has(step) ? { format: String } : {}
      this.bar = (before ?? Promise.resolve(null)).then((old) => {
        old?.stop()
        return this.terminal.progress(LABELS[step] ?? step, total, format.format)
      })
    }
    void this.bar?.then((bar) => bar.update(done, '', total))
  }

  async end(): Promise<void> {
    const { bar } = this
    if (bar !== null) (await bar).stop()
  }
}
