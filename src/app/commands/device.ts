/** `shardrive device list`: the machines that may open this drive. */
import type { Argv } from 'yargs'
import type { Arguments, Command, CommandGroup } from '../command.js'
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
      .option('state', { type: 'string', describe: 'state directory of the drive' })
      .option('passphrase-file', { type: 'string', describe: 'passphrase of the key file' })
      .example('shardrive device list', '') as unknown as Argv<ListArguments>,
  async run(args: Arguments<ListArguments>, terminal: Terminal) {
    const { openDevice } = await import('../device-access.js')
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const device = await openDevice(stateDirOf(args.state, 'main'), passphrase)
    try {
      const devices = (await device.client.devices(device.facts.drive)).map((one) => ({
        ...one,
        isThis: one.device === device.facts.device,
      }))
      terminal.result(
        { devices },
        devices.map((one) => {
          const marks = [one.isThis ? 'this machine' : '', one.revoked ? 'revoked' : '']
            .filter((mark) => mark !== '')
            .join(', ')
          return `${one.device.slice(0, 16)}…  added ${new Date(one.addedAtMs).toISOString().slice(0, 16)}  ${marks}`
        }),
      )
    } finally {
      device.wipe()
    }
  },
}

export const command: CommandGroup = {
  subCommands: [{ usage: 'list', summary: 'the machines of this drive', command: list }],
}
