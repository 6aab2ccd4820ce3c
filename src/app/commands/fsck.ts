/** `shardrive fsck`: checks the drive against itself. */
import type { Argv } from 'yargs'
import type { Arguments, Command } from '../command.js'
import { exitCodes } from '../exit-codes.js'
import { findRunningDrive } from '../running-drives.js'
import type { Terminal } from '../terminal.js'

interface FsckArguments {
  state?: string
}

export const command: Command<FsckArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of the drive, when several are mounted' })
      .example('shardrive fsck', 'exit code 0: sound, 7: damaged') as unknown as Argv<FsckArguments>,
  async run(args: Arguments<FsckArguments>, terminal: Terminal) {
    const { callDaemon } = await import('../../mount/control/client.js')
    const drive = await findRunningDrive(args.state)
    const { findings } = (await callDaemon(drive.control, 'fsck')) as { findings: { code: string; message: string }[] }
    const lines = findings.map((one) => `${one.code}: ${one.message}`)
    terminal.result({ findings }, findings.length === 0 ? 'sound: names, counts, extents and staged data fit' : lines)
    return findings.length === 0 ? exitCodes.ok : exitCodes.damaged
  },
}
