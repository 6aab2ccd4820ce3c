/** `shardrive drive list`: the drives of this device's account. */
import type { Argv } from 'yargs'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { formatBytes } from '../numbers.js'
import { readSecret } from '../secret-input.js'
import type { Terminal } from '../terminal.js'
import { stateDirOf } from './init.js'

interface ListArguments {
  state?: string
  passphraseFile?: string
}

const list: Command<ListArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of a drive of this account' })
      .option('passphrase-file', { type: 'string', describe: 'passphrase of the key file' })
      .example('shardrive drive list', '') as unknown as Argv<ListArguments>,
  async run(args: Arguments<ListArguments>, terminal: Terminal) {
    const { openDevice } = await import('../device-access.js')
    const { openDriveLabel } = await import('../../permits/drive-label.js')
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const device = await openDevice(stateDirOf(args.state, 'main'), passphrase)
    try {
      const drives = (await device.client.drives()).map((one) => ({
        drive: one.drive,
        name: openDriveLabel(device.labelKey, one.drive, one.label),
        records: one.head.sequence + 1,
        hostBytes: one.bytes,
      }))
      terminal.result(
        { drives },
        drives.map((one) => `${one.name.padEnd(16)} ${one.drive}  ${formatBytes(one.hostBytes)} on hosts`),
      )
    } finally {
      device.wipe()
    }
  },
}

export const command: CommandGroup = {
  subCommands: [{ usage: 'list', summary: 'the drives of this account', command: list }],
}
