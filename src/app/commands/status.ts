/** `shardrive status [PATH]`: what is only here, what is stored, how healthy it is. */
import type { Argv } from 'yargs'
import { systemClock } from '../../base/clock.js'
import { AppError } from '../../base/errors.js'
import { adviceForReason } from '../advice.js'
import type { Arguments, Command } from '../command.js'
import { formatBytes, formatDuration } from '../numbers.js'
import { inodeOf } from '../pin-paths.js'
import { findRunningDrive } from '../running-drives.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'

interface StatusArguments {
  path?: string
  state?: string
  watch: boolean
}

/** Between two looks of a watch: quick enough for a person, cheap for the daemon. */
const WATCH_MS = 1_000

export const command: Command<StatusArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('path', { type: 'string', describe: 'a file or folder of the drive; without it, the whole drive' })
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .option('watch', { type: 'boolean', default: false, describe: 'look again each second, until Ctrl-C' })
      .example('shardrive status', 'everything')
      .example('shardrive status --watch', 'see how what was written goes to hosts')
      .example('shardrive status ~/shardrive/thesis.pdf', 'is this file stored?') as unknown as Argv<StatusArguments>,
  async run(args: Arguments<StatusArguments>, terminal: Terminal) {
    const { askDaemon } = await import('../daemon-answers.js')
    const drive = await findRunningDrive(args.state, args.path)
    const look = async () => (await askDaemon(drive, 'status')) as unknown as StatusFacts
    if (args.watch) {
      if (args.path !== undefined) throw new AppError('usage', '--watch looks at the whole drive: leave the path out')
      return watch(look, terminal)
    }
    if (args.path !== undefined) {
      const facts = await askDaemon(drive, 'status-of', { ino: inodeOf(args.path) })
      terminal.result({ path: args.path, ...facts }, fileLine(args.path, facts))
      return undefined
    }
    const facts = await look()
    terminal.result(facts, describe(facts))
    return undefined
  },
}

/** Ctrl-C ends it, as asked: exit code 0. */
async function watch(look: () => Promise<StatusFacts>, terminal: Terminal): Promise<undefined> {
  const stop = listenForStop()
  let before: { bytes: number; atMs: number } | null = null
  try {
    while (!stop.signal.aborted) {
      const facts = await look()
      const now = { bytes: facts.local.bytes, atMs: performance.now() }
      terminal.show(facts, [...describe(facts), ...storingLine(before, now)])
      before = now
      await systemClock.sleep(WATCH_MS, stop.signal)
    }
    return undefined
  } finally {
    stop.release()
  }
}

type Amount = { bytes: number; atMs: number }

function storingLine(before: Amount | null, now: Amount): string[] {
  const gone = before === null ? 0 : before.bytes - now.bytes
  if (before === null || gone <= 0) return []
  return [`storing  ${formatBytes(Math.round((gone * 1_000) / (now.atMs - before.atMs)))} a second`]
}

function fileLine(file: string, facts: Record<string, unknown>): string {
  const worst = facts.worst as { stored: number; of: number } | null
  const health =
    worst === null ? (facts.health === 'unknown' ? '' : ', on all its hosts') : `, ${worst.stored} of ${worst.of}`
  const stored = facts.state === 'stored' ? `stored${health}` : 'only on this machine so far'
  const { pinned, hereBytes, dataBytes } = facts as { pinned: boolean; hereBytes: number; dataBytes: number }
  const here = dataBytes === 0 ? '' : `; ${formatBytes(hereBytes)} of ${formatBytes(dataBytes)} are here`
  return `${file}: ${stored}${here}${pinned ? ', pinned' : ''}`
}

export interface StoredFacts {
  segments: number
  full: number
  short: { stored: number; of: number; segments: number }[]
  policy: string
  durable: boolean
  hostBytes: number
}

interface StatusFacts {
  drive: { name: string }
  mount: string
  readOnly: string | null
  local: { bytes: number; epochs: number; operations: number; oldestAgeMs: number | null }
  stored: StoredFacts | null
  bridge: { url: string; connected: boolean }
  hosts: {
    connected: number
    direct: number
    relayed: number
    online: number | null
    total: number | null
    refused: number
  }
  trouble: { code: string; message: string } | null
  retelling: { done: number; total: number; unfound: number } | null
  files: number
}

function describe(facts: StatusFacts): string[] {
  const { local, bridge, hosts, readOnly, trouble } = facts
  const isClean = local.bytes === 0 && local.operations === 0 && local.epochs === 0
  const age = local.oldestAgeMs === null ? '' : `, oldest change ${formatDuration(local.oldestAgeMs)} ago`
  const lines = [
    `drive    ${facts.drive.name} at ${facts.mount}, ${facts.files} files and folders`,
    `local    ${isClean ? 'nothing: all of it is stored' : `${formatBytes(local.bytes)} not stored yet${age}`}`,
    ...storedLines(facts.stored),
    `bridge   ${bridge.url}, ${bridge.connected ? 'connected' : 'not connected'}`,
    `hosts    ${hosts.online === null ? 'unknown' : `${hosts.online} of ${hosts.total} online`}, ${hosts.connected} connected here${relayedWords(hosts)}`,
  ]
  if (hosts.refused > 0)
    lines.push(
      `         ${hosts.refused} connections refused: their signed descriptions came changed or late, see the log`,
    )
  if (facts.retelling !== null) lines.push(`retelling ${retellingLine(facts.retelling)}`)
  if (readOnly !== null) lines.push(`READ-ONLY  ${readOnly}`, ...wayOut(readOnly))
  if (trouble !== null) lines.push(`trouble  ${trouble.message} [${trouble.code}]`)
  return lines
}

/** Of a reason that nobody chose: it ends with its code. */
function wayOut(reason: string): string[] {
  const advice = adviceForReason(reason)
  return advice === undefined ? [] : [`           what to do: ${advice}`]
}

function relayedWords({ direct, relayed }: { direct: number; relayed: number }): string {
  return relayed === 0 ? '' : ` (${direct} direct, ${relayed} through a relay)`
}

function retellingLine({ done, total, unfound }: { done: number; total: number; unfound: number }): string {
  const share = total === 0 ? 100 : Math.floor((100 * done) / total)
  const missing = unfound === 0 ? '' : `; of ${unfound} segments no host has told yet`
  return `the bridge lost its books; telling it what this drive knows: ${share} %${missing}`
}

export function storedLines(stored: StoredFacts | null): string[] {
  if (stored === null) return ['stored   unknown: the bridge does not answer']
  const lines = stored.short.map(
    (one) =>
      `stored, ${one.stored} of ${one.of}: ${one.segments} of ${stored.segments} segments; the rest comes when hosts are back`,
  )
  const all =
    stored.segments === 0
      ? 'nothing yet'
      : `${stored.full} of ${stored.segments} segments on all their hosts, ${formatBytes(stored.hostBytes)} there`
  const warning = stored.durable ? [] : ['         not durable: all hosts are on one machine (policy single-machine)']
  return [`stored   ${all}`, ...lines.map((line) => `         ${line}`), ...warning]
}
