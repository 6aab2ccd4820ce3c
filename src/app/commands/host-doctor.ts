/** `shardrive host doctor`: how this host is reached, what is wrong with its machine, what to do about it. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { openLog } from '../../base/log.js'
import { exitCodeOfChecks, linesOfChecks } from '../checks.js'
import type { Arguments, Command } from '../command.js'
import type { Terminal } from '../terminal.js'

interface DoctorArguments {
  dir: string
}

export const doctor: Command<DoctorArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', demandOption: true, describe: 'folder made by host init' })
      .example(
        'shardrive host doctor --dir /srv/shardrive',
        'tells most while the host is stopped; exit code 5 when something is wrong',
      ) as Argv<DoctorArguments>,
  async run(args: Arguments<DoctorArguments>, terminal: Terminal) {
    const { examineHost } = await import('../host-doctor.js')
    const checks = await examineHost(path.resolve(args.dir), openLog('host-doctor'))
    // `ok` as the drive's doctor tells it.
    const facts = checks.map((one) => ({ ...one, ok: one.state !== 'fail' }))
    terminal.result({ checks: facts }, linesOfChecks(checks))
    return exitCodeOfChecks(checks)
  },
}
