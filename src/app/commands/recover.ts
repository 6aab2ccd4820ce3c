/** `shardrive recover`: this machine becomes a device of an account, from its 24 words. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { readPhrase } from '../phrase-file.js'
import { readSecret } from '../secret-input.js'
import { stateDirOf } from '../state-dir.js'
import type { Terminal } from '../terminal.js'

interface RecoverArguments {
  bridge: string
  state?: string
  drive: string
  phraseFile?: string
  passphraseFile?: string
}

export const command: Command<RecoverArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('bridge', { type: 'string', demandOption: true, describe: 'address of the bridge' })
      .option('state', { type: 'string', describe: 'state directory (default: ~/.local/state/shardrive/DRIVE)' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of the drive' })
      .option('phrase-file', {
        type: 'string',
        describe: "file with the 24 words ('-': standard input); else SHARDRIVE_PHRASE, else asked",
      })
      .option('passphrase-file', {
        type: 'string',
        describe: 'protect the new key file with the passphrase in this file',
      })
      .example(
        'shardrive recover --bridge https://bridge.example.org',
        'asks for the words, then: shardrive mount MOUNTPOINT',
      ) as unknown as Argv<RecoverArguments>,
  async run(args: Arguments<RecoverArguments>, terminal: Terminal) {
    const { hasDrive } = await import('../../mount/account/drive-files.js')
    const { setUpDevice } = await import('../account-setup.js')
    const stateDir = stateDirOf(args.state, args.drive)
    if (hasDrive(stateDir)) {
      throw new AppError('drive-exists', `${stateDir} belongs to a drive already`, {
        hint: 'mount it, or recover into another directory with --state',
      })
    }
    const phrase = await readPhrase(args.phraseFile)
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const facts = await setUpDevice(phrase, {
      stateDir,
      bridgeUrl: args.bridge,
      driveName: args.drive,
      ...(passphrase === null ? {} : { passphrase }),
    })
    passphrase?.wipe()
    terminal.result({ account: facts.account, drive: facts.drive, device: facts.device, state: stateDir }, [
      `Drive '${facts.name}' is known here now; its tree comes with the first mount.`,
      `  shardrive mount MOUNTPOINT --state ${stateDir}`,
    ])
  },
}
