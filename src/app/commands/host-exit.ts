/**
 * `shardrive host exit`: leave in good order. The bridge moves every shard to other hosts; this host serves meanwhile. The wish stands
 * at the bridge: the command may be stopped and run again, and only shows how far it is.
 */
import path from 'node:path'
import type { Argv } from 'yargs'
import { systemClock } from '../../base/clock.js'
import { AppError, isCode } from '../../base/errors.js'
import type { HostStanding } from '../../wire/host-api.js'
import type { Arguments, Command } from '../command.js'
import { defaultHostDir } from '../host-settings.js'
import { listenForStop, type StopRequest } from '../stop.js'
import type { Terminal } from '../terminal.js'

interface ExitArguments {
  dir: string
  cancel: boolean
  wait: boolean
}

const LOOK_MS = 3_000

export const exit: Command<ExitArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', default: defaultHostDir(), describe: 'folder made by host init' })
      .option('cancel', { type: 'boolean', default: false, describe: 'stay after all' })
      .option('wait', {
        type: 'boolean',
        default: true,
        describe: 'wait until every shard is elsewhere; --no-wait: only ask',
      })
      .example(
        'shardrive host exit --dir /srv/shardrive',
        'ends when this host may be switched off; Ctrl-C does no harm',
      )
      .example('shardrive host exit --cancel', '') as unknown as Argv<ExitArguments>,
  async run(args: Arguments<ExitArguments>, terminal: Terminal) {
    const { askHost, openIdentity } = await import('../host-control.js')
    const dir = path.resolve(args.dir)
    const { host, client } = openIdentity(dir)
    const standing = await client.exit(host, args.cancel ? { cancel: true } : {})
    if (args.cancel) {
      terminal.result({ host, exit: standing.exit }, 'the host stays: it takes shards again')
      return undefined
    }
    if ((await askHost(dir, 'status')) === null) {
      terminal.warn(
        `the host does not run: its shards are moved quicker when it does (shardrive host run --dir ${dir})`,
      )
    }
    if (!args.wait) {
      terminal.result({ host, exit: standing.exit }, asked(standing))
      return undefined
    }
    const stop = listenForStop()
    try {
      const last = await follow(standing, () => client.standing(host, { signal: stop.signal }), { stop, terminal })
      if (last.exit.phase === 'none') throw new AppError('cancelled', 'the exit was called off in another place')
      terminal.result({ host, exit: last.exit }, [
        'every shard is on other hosts: nothing depends on this one any more',
        `it may be stopped, and ${dir} may be removed`,
      ])
      return undefined
    } catch (error) {
      if (!stop.signal.aborted) throw error
      const hint = 'run it again to see how far it is; --cancel to stay'
      return terminal.fail(new AppError('interrupted', 'stopped waiting; the bridge goes on', { hint }), stop.exitCode)
    } finally {
      stop.release()
    }
  },
}

function asked({ exit: { phase, shardsLeft } }: HostStanding): string {
  return phase === 'left'
    ? 'the host has left'
    : `asked: ${shardsLeft} shards are to be moved; the host serves meanwhile`
}

/** Until it has left, or stays after all. A bridge that is away for a while is asked again. */
async function follow(
  first: HostStanding,
  look: () => Promise<HostStanding>,
  { stop, terminal }: { stop: StopRequest; terminal: Terminal },
): Promise<HostStanding> {
  let standing = first
  let most = Math.max(1, first.exit.shardsLeft)
  const bar = await terminal.progress('moving shards', most, (count) => String(count))
  const alive = setInterval(() => {}, 60_000)
  try {
    while (standing.exit.phase === 'leaving') {
      most = Math.max(most, standing.exit.shardsLeft)
      bar.update(most - standing.exit.shardsLeft, `${standing.exit.shardsLeft} left`, most)
      if (!(await systemClock.sleep(LOOK_MS, stop.signal))) throw new AppError('interrupted', 'stopped')
      standing = await look().catch((error: unknown) => {
        if (isCode(error, 'bridge-unreachable')) return standing
        throw error
      })
    }
    return standing
  } finally {
    clearInterval(alive)
    bar.stop()
  }
}
