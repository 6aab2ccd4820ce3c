/** `shardrive host status`: how the host is, what it holds, what the bridge thinks of it, what it earns. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { systemClock } from '../../base/clock.js'
import { codeOf } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { defaultHostDir } from '../host-settings.js'
import type { RunningFacts, StoppedFacts } from '../host-status.js'
import { checkWhole } from '../numbers.js'
import { listenForStop } from '../stop.js'
import type { Terminal } from '../terminal.js'

interface StatusArguments {
  dir: string
  watch?: number
}

const BRIDGE_TIMEOUT_MS = 5_000

export const status: Command<StatusArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', default: defaultHostDir(), describe: 'folder made by host init' })
      .option('watch', { type: 'number', describe: 'show it again every so many seconds, until Ctrl-C' })
      .example('shardrive host status --dir /srv/shardrive', '')
      .example('shardrive host status --watch 5', '') as unknown as Argv<StatusArguments>,
  async run(args: Arguments<StatusArguments>, terminal: Terminal) {
    checkWhole('--watch', args.watch, 1, 86_400)
    const dir = path.resolve(args.dir)
    if (args.watch === undefined) return show(dir, terminal)
    const stop = listenForStop()
    try {
      do await show(dir, terminal)
      while (await keptAlive(systemClock.sleep(args.watch * 1_000, stop.signal)))
    } finally {
      stop.release()
    }
  },
}

async function show(dir: string, terminal: Terminal): Promise<void> {
  const { hostLines } = await import('../host-status-lines.js')
  const { isDiskThere, vettingDaysLeft } = await import('../host-status.js')
  const facts = await findFacts(dir)
  const daysLeft = vettingDaysLeft(dir, Date.now())
  const beside = { dir, daysLeft, diskThere: isDiskThere(dir) }
  terminal.result({ dir, ...facts, vettingDaysLeft: daysLeft, diskThere: beside.diskThere }, hostLines(facts, beside))
}

/** From the running host; else what its folder and the bridge tell. */
async function findFacts(dir: string): Promise<RunningFacts | StoppedFacts> {
  const { askHost, openIdentity } = await import('../host-control.js')
  const running = await askHost(dir, 'status')
  if (running !== null) return running as unknown as RunningFacts
  const { stoppedFacts } = await import('../host-status.js')
  const { host, config, client } = openIdentity(dir)
  const standing = await client.standing(host, { timeoutMs: BRIDGE_TIMEOUT_MS }).catch((error: unknown) => {
    // A host that never ran is not known there, and a bridge that is away says nothing: both are no failure of this command.
    if (codeOf(error) === 'internal') throw error
    return null
  })
  return stoppedFacts(dir, host, { config, standing })
}

/** The clock's timers keep no process alive. */
async function keptAlive<T>(work: Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, 60_000)
  try {
    return await work
  } finally {
    clearInterval(alive)
  }
}
