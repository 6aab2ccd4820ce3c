/** `shardrive unmount MOUNTPOINT`: takes the drive away, cleanly; says what is only local. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { formatBytes } from '../numbers.js'
import { listRunningDrives } from '../running-drives.js'
import type { Terminal } from '../terminal.js'

interface UnmountArguments {
  mountpoint: string
}

/** The daemon stores what it can before it ends. */
const ENDS_WITHIN_MS = 60_000

export const command: Command<UnmountArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('mountpoint', { type: 'string', demandOption: true, describe: 'where the drive is mounted' })
      .example('shardrive unmount ~/drive', '') as unknown as Argv<UnmountArguments>,
  async run(args: Arguments<UnmountArguments>, terminal: Terminal) {
    const mountPoint = path.resolve(args.mountpoint)
    const drive = (await listRunningDrives()).find((one) => one.mountPoint === mountPoint)
    if (drive === undefined) {
      const { clearStaleMount } = await import('../../mount/fuse/mount-point.js')
      if (await clearStaleMount(mountPoint)) {
        terminal.result(
          { mount: mountPoint, cleared: true },
          `${mountPoint}: the daemon was dead; its mount is cleared`,
        )
        return
      }
      throw new AppError('not-mounted', `no drive of this user is mounted at ${mountPoint}`)
    }
    const { callDaemon } = await import('../../mount/control/client.js')
    const { localBytes } = (await callDaemon(drive.control, 'unmount')) as { localBytes: number }
    await untilGone(drive.pid)
    const note =
      localBytes > 0
        ? [
            `${formatBytes(localBytes)} had not been stored when it was asked to end; the next mount stores what is left`,
          ]
        : []
    terminal.result({ mount: mountPoint, localBytes }, [`${mountPoint} is unmounted`, ...note])
  },
}

async function untilGone(pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < ENDS_WITHIN_MS; waitedMs += 50) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new AppError('busy', `the daemon (pid ${pid}) is still ending`, {
    retry: 'later',
    hint: 'programs may still have files of the drive open',
  })
}
