/** `shardrive device list | revoke`: the machines that may open this drive. */
import type { Argv } from 'yargs'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { readPhrase } from '../phrase-file.js'
import { readSecret } from '../secret-input.js'
import { knownStateDir } from '../state-dir.js'
import type { Terminal } from '../terminal.js'

interface ListArguments {
  state?: string
  passphraseFile?: string
}

const list: Command<ListArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of the drive' })
      .option('passphrase-file', { type: 'string', describe: 'passphrase of the key file' })
      .example(
        'shardrive device list',
        'the machines of the drive that is mounted here',
      ) as unknown as Argv<ListArguments>,
  async run(args: Arguments<ListArguments>, terminal: Terminal) {
    const { openDevice } = await import('../device-access.js')
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const device = await openDevice(await knownStateDir(args.state), passphrase)
    try {
      const devices = (await device.client.devices(device.facts.drive)).map((one) => ({
        ...one,
        isThis: one.device === device.facts.device,
      }))
      terminal.result({ devices }, devices.map(deviceLine))
    } finally {
      device.wipe()
    }
  },
}

function deviceLine(one: { device: string; addedAtMs: number; isThis: boolean; revoked: boolean }): string {
  const marks = [one.isThis ? 'this machine' : '', one.revoked ? 'revoked' : ''].filter((mark) => mark !== '')
  const added = new Date(one.addedAtMs).toISOString().slice(0, 16).replace('T', ' ')
  return `${one.device.slice(0, 16)}…  added ${added} UTC  ${marks.join(', ')}`.trimEnd()
}

interface RevokeArguments {
  device: string
  state?: string
  drive?: string
  bridge?: string
  phraseFile?: string
}

const revoke: Command<RevokeArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('device', { type: 'string', demandOption: true, describe: 'its id as device list shows it' })
      .option('state', { type: 'string', describe: 'state directory of the drive' })
      .option('drive', { type: 'string', describe: 'with --bridge: name of the drive (main)' })
      .option('bridge', { type: 'string', describe: 'address of the bridge, on a machine that has no state directory' })
      .option('phrase-file', {
        type: 'string',
        describe: "file with the 24 words ('-': standard input); else SHARDRIVE_PHRASE, else asked",
      })
      .example(
        'shardrive device revoke 506190b89ec61e2c',
        'what it had read stays read; what is written from now on it cannot open',
      ) as unknown as Argv<RevokeArguments>,
  async run(args: Arguments<RevokeArguments>, terminal: Terminal) {
    const { revokeDeviceOf } = await import('../account-setup.js')
    const known = args.bridge === undefined ? await knownDrive(args) : null
    const target = known ?? { bridgeUrl: args.bridge as string, driveName: args.drive ?? 'main' }
    const { device, keyTerm } = await revokeDeviceOf(await readPhrase(args.phraseFile), {
      ...target,
      device: args.device,
    })
    terminal.result({ device, keyTerm }, [
      `${device.slice(0, 16)}… is revoked; new data is written under key term ${keyTerm}, which it was not given.`,
      'What it had read before it may have kept.',
    ])
  },
}

async function knownDrive(args: RevokeArguments) {
  const { readDriveFacts } = await import('../../mount/account/drive-files.js')
  const { bridgeUrl, bridge, name } = readDriveFacts(await knownStateDir(args.state, args.drive))
  return { bridgeUrl, bridge, driveName: args.drive ?? name }
}

export const command: CommandGroup = {
  subCommands: [
    { usage: 'list', summary: 'the machines of this drive', command: list },
    { usage: 'revoke <device>', summary: 'take a machine from the drive; needs the 24 words', command: revoke },
  ],
}
