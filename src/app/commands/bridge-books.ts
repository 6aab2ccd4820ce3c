/** `shardrive bridge backup | restore | reconcile | fsck`: the books of a bridge, and what to do when they are lost. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { systemClock } from '../../base/clock.js'
import type { ReconcileReply } from '../../wire/api.js'
import type { Arguments, Command, SubCommand } from '../command.js'
import { exitCodes } from '../exit-codes.js'
import { formatBytes } from '../numbers.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'

const dirOption = { type: 'string', demandOption: true, describe: 'folder of this bridge' } as const
const KEY_WARNING = 'it does not hold bridge.key: keep a copy of that apart, it is small, secret and never changes'
const POLL_MS = 2_000

const backup: Command<{ dir: string; to: string }> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', dirOption)
      .option('to', { type: 'string', demandOption: true, describe: 'the file to make' })
      .example(
        'shardrive bridge backup --dir /var/lib/shardrive-bridge --to /backup/bridge-1.db',
        'while it runs',
      ) as never,
  async run(args: Arguments<{ dir: string; to: string }>, terminal: Terminal) {
    const { backupBooks } = await import('../../bridge/persist/books.js')
    const progress = await terminal.progress('copied', 0)
    const to = path.resolve(args.to)
    const facts = await backupBooks(args.dir, to, (done, total) => progress.update(done, '', total)).finally(() =>
      progress.stop(),
    )
    terminal.result({ file: to, ...facts, holdsKey: false }, [
      `${to}: ${formatBytes(facts.bytes)}, checked`,
      KEY_WARNING,
    ])
  },
}

const restore: Command<{ dir: string; from: string; force: boolean }> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', dirOption)
      .option('from', { type: 'string', demandOption: true, describe: 'a file that backup made' })
      .option('force', { type: 'boolean', default: false, describe: 'also in place of books that know more' })
      .example('shardrive bridge restore --from /backup/bridge-1.db --dir /var/lib/shardrive-bridge', '') as never,
  async run(args: Arguments<{ dir: string; from: string; force: boolean }>, terminal: Terminal) {
    const { restoreBooks } = await import('../../bridge/persist/books.js')
    const facts = restoreBooks(args.from, args.dir, { force: args.force })
    terminal.result({ dir: args.dir, ...facts }, [
      `the books of incarnation ${facts.incarnation} are in place; the next start begins a new one`,
      'it forgets nothing until hosts and drives have told what they know: shardrive bridge reconcile shows how far it is',
    ])
  },
}

interface ReconcileArguments {
  dir: string
  wait: boolean
  force: boolean
  begin: boolean
}

const reconcile: Command<ReconcileArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', dirOption)
      .option('wait', { type: 'boolean', default: false, describe: 'until it is through' })
      .option('force', { type: 'boolean', default: false, describe: 'end it now: says what may be lost by that' })
      .option('begin', { type: 'boolean', default: false, describe: 'the folder was put back from a copy: begin anew' })
      .example('shardrive bridge reconcile --dir /var/lib/shardrive-bridge --wait', '') as never,
  async run(args: Arguments<ReconcileArguments>, terminal: Terminal) {
    const { withOperator } = await import('../bridge-operator.js')
    const stop = listenForStop()
    const status = await withOperator(args.dir, async (client) => {
      const before = await client.reconcile(args.begin ? { begin: true } : {})
      if (args.force) {
        for (const line of lossLines(before)) terminal.warn(line)
        return client.reconcile({ force: true })
      }
      let now = before
      while (args.wait && now.frozenSince !== null && !stop.signal.aborted) {
        await systemClock.sleep(POLL_MS, stop.signal)
        now = await client.reconcile({})
      }
      return now
    }).finally(() => stop.release())
    terminal.result(status, statusLines(status))
    return status.frozenSince === null ? exitCodes.ok : exitCodes.busy
  },
}

function statusLines(now: ReconcileReply): string[] {
  if (now.frozenSince === null) return [`the books are whole (incarnation ${now.incarnation})`]
  const { hosts, drives, unclaimed } = now
  return [
    `incarnation ${now.incarnation} gathers what it lost: nothing is forgotten meanwhile`,
    `  hosts   ${hosts.listed} of ${hosts.known} have said what lies on them`,
    `  drives  ${drives.told} of ${drives.known} have told what they know`,
    `  shards  ${now.adopted} placements taken over, ${now.lost} not found where they should be`,
    ...(unclaimed.shards === 0 ? [] : [`  nobody's ${unclaimed.shards} shards, ${formatBytes(unclaimed.bytes)}`]),
  ]
}

/** What ends with the waiting. */
function lossLines({ frozenSince, hosts, drives, unclaimed }: ReconcileReply): string[] {
  if (frozenSince === null) return []
  const silent = hosts.known - hosts.listed
  const untold = drives.known - drives.told
  return [
    ...(silent > 0 ? [`${silent} hosts have not said what they hold: what only they hold counts as missing`] : []),
    ...(untold > 0 ? [`${untold} drives have not told: segments of their last hours may be thrown away by hosts`] : []),
    ...(unclaimed.shards > 0
      ? [`${formatBytes(unclaimed.bytes)} lie on hosts of drives that nobody has brought back: they may be thrown away`]
      : []),
  ]
}

const fsck: Command<{ dir: string }> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', dirOption)
      .example('shardrive bridge fsck --dir /var/lib/shardrive-bridge', 'exit code 0: sound, 7: damaged') as never,
  async run(args: Arguments<{ dir: string }>, terminal: Terminal) {
    const { checkBooks } = await import('../../bridge/reconcile/check-books.js')
    const findings = checkBooks(args.dir)
    const lines = findings.map((one) => `${one.code}: ${one.message}`)
    terminal.result({ findings }, findings.length === 0 ? 'sound: counters, shards, deletions and chains fit' : lines)
    return findings.length === 0 ? exitCodes.ok : exitCodes.damaged
  },
}

export const bookCommands: readonly SubCommand[] = [
  { usage: 'backup', summary: 'copy its database while it runs', command: backup as Command<unknown> },
  { usage: 'restore', summary: 'put such a copy in place', command: restore as Command<unknown> },
  { usage: 'reconcile', summary: 'how far it is with what it lost', command: reconcile as Command<unknown> },
  { usage: 'fsck', summary: 'check its database against itself', command: fsck as Command<unknown> },
]
