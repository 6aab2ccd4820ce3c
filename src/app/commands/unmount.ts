/** `shardrive unmount MOUNTPOINT`: takes the drive away, cleanly; says what is only local. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError, isCode } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { untilGone } from '../daemon-end.js'
import { formatBytes } from '../numbers.js'
import { listRunningDrives, type RunningDrive } from '../running-drives.js'
import type { Terminal } from '../terminal.js'

interface UnmountArguments {
  mountpoint: string
  force: boolean
}

export const command: Command<UnmountArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'where the drive is mounted' })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'also when programs have files of it open, or a full disk has no room for the last changes',
      })
      .example('shardrive unmount ~/drive', '') as unknown as Argv<UnmountArguments>,
  async run(args: Arguments<UnmountArguments>, terminal: Terminal) {
    const mountPoint = await placeOf(args.mountpoint)
    const drive = (await listRunningDrives()).find((one) => one.mountPoint === mountPoint)
    if (drive === undefined) return clearDead(mountPoint, terminal)
    if (!(await answers(drive, args.force))) return endSilent(drive, mountPoint, terminal)
    const { callDaemon } = await import('../../mount/control/client.js')
    const { localBytes } = (await callDaemon(drive.control, 'unmount', { force: args.force })) as { localBytes: number }
    await untilGone(drive.pid)
    const note =
      localBytes > 0 ? [`${formatBytes(localBytes)} are only on this machine; the next mount stores them`] : []
    terminal.result({ mount: mountPoint, localBytes }, [`${mountPoint} is unmounted`, ...note])
  },
}

/** As mount points are known; what is mounted there is not looked at. */
async function placeOf(given: string): Promise<string> {
  const { resolvePlace } = await import('../../mount/fuse/mount-point.js')
  return resolvePlace(given).catch((error: unknown) => {
    if (isCode(error, 'mountpoint-missing')) return path.resolve(given)
    throw error
  })
}

/** False: it stands still, and that is to be ended. Throws `daemon-silent` when it is not. */
async function answers(drive: RunningDrive, force: boolean): Promise<boolean> {
  const { askDaemon } = await import('../daemon-answers.js')
  try {
    await askDaemon(drive, 'status')
    return true
  } catch (error) {
    if (force && isCode(error, 'daemon-silent')) return false
    throw error
  }
}

/** What it had synced, and all but its last second, is on the disk, and the next mount goes on from there. */
async function endSilent(drive: RunningDrive, mountPoint: string, terminal: Terminal): Promise<void> {
  const { topMountAt } = await import('../../mount/fuse/mount-table.js')
  const { pidOf } = await import('../../mount/fuse/mount-daemon.js')
  const mount = await topMountAt(mountPoint)
  // Nobody else's process has this number: its mount names it.
  if (mount !== undefined && pidOf(mount) === drive.pid) {
    process.kill(drive.pid, 'SIGKILL')
    await untilGone(drive.pid)
  }
  await clearDead(mountPoint, terminal)
}

/** Nobody serves this place: what a daemon that was killed left there is taken away. */
async function clearDead(mountPoint: string, terminal: Terminal): Promise<void> {
  const { preparePlace } = await import('../../mount/fuse/mount-point.js')
  const cleared = (await preparePlace(mountPoint)) === 'cleared'
  if (!cleared) throw new AppError('not-mounted', `no drive of this user is mounted at ${mountPoint}`)
  terminal.result({ mount: mountPoint, cleared }, `${mountPoint}: the daemon was dead; its mount is cleared`)
}
