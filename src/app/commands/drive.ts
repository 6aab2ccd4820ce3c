/** `shardrive drive list | create`: the drives of an account. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command, CommandGroup } from '../command.js'
import { formatBytes } from '../numbers.js'
import { readPhrase } from '../phrase-file.js'
import { readSecret } from '../secret-input.js'
import { checkDriveName, knownStateDir, stateDirOf } from '../state-dir.js'
import type { Terminal } from '../terminal.js'

interface ListArguments {
  state?: string
  passphraseFile?: string
}

const list: Command<ListArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('state', { type: 'string', describe: 'state directory of a drive of this account' })
      .option('passphrase-file', { type: 'string', describe: 'passphrase of the key file' })
      .example('shardrive drive list', 'names, ids, and what they keep on hosts') as unknown as Argv<ListArguments>,
  async run(args: Arguments<ListArguments>, terminal: Terminal) {
    const { openDevice } = await import('../device-access.js')
    const { openDriveLabel } = await import('../../permits/drive-label.js')
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const device = await openDevice(await knownStateDir(args.state), passphrase)
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

interface CreateArguments {
  name: string
  state?: string
  bridge?: string
  phraseFile?: string
  passphraseFile?: string
}

const create: Command<CreateArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'name of the new drive' })
      .option('state', { type: 'string', describe: 'its state directory (default: ~/.local/state/shardrive/NAME)' })
      .option('bridge', { type: 'string', describe: 'address of the bridge (default: that of the drive main)' })
      .option('phrase-file', {
        type: 'string',
        describe: "file with the account's 24 words ('-': standard input); else SHARDRIVE_PHRASE, else asked",
      })
      .option('passphrase-file', { type: 'string', describe: 'protect its key file with the passphrase in this file' })
      .example(
        'shardrive drive create photos',
        'then: shardrive mount ~/photos --drive photos',
      ) as unknown as Argv<CreateArguments>,
  async run(args: Arguments<CreateArguments>, terminal: Terminal) {
    const { hasDrive } = await import('../../mount/account/drive-files.js')
    const { setUpDrive } = await import('../account-setup.js')
    const driveName = checkDriveName(args.name)
    const stateDir = stateDirOf(args.state, driveName)
    if (hasDrive(stateDir)) {
      throw new AppError('drive-exists', `${stateDir} belongs to a drive already`, {
        hint: 'choose another directory with --state',
      })
    }
    const bridge = args.bridge === undefined ? await knownBridge() : { bridgeUrl: args.bridge }
    const phrase = await readPhrase(args.phraseFile)
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const secret = passphrase === null ? {} : { passphrase }
    const facts = await setUpDrive(phrase, { stateDir, driveName, ...bridge, ...secret })
    passphrase?.wipe()
    const named = args.state === undefined ? `--drive ${driveName}` : `--state ${stateDir}`
    terminal.result({ drive: facts.drive, name: driveName, device: facts.device, state: stateDir }, [
      `Drive '${driveName}' is ready: shardrive mount MOUNTPOINT ${named}`,
      'The same 24 words recover it.',
    ])
  },
}

/** The bridge of the account that this machine knows, with its key. */
async function knownBridge() {
  const { readDriveFacts } = await import('../../mount/account/drive-files.js')
  const { bridgeUrl, bridge } = readDriveFacts(await knownStateDir(undefined))
  return { bridgeUrl, bridge }
}

export const command: CommandGroup = {
  subCommands: [
    { usage: 'list', summary: 'the drives that this device belongs to', command: list },
    { usage: 'create <name>', summary: 'one more drive of this account; needs the 24 words', command: create },
  ],
}
