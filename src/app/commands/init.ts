/** `shardrive init`: a new account, its first drive, this machine as its first device. Shows the phrase once. */
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import { systemRandom } from '../../base/random.js'
import type { Arguments, Command } from '../command.js'
import { checkPhraseFile, writePhrase } from '../phrase-file.js'
import { readSecret } from '../secret-input.js'
import { checkDriveName, stateDirOf } from '../state-dir.js'
import type { Terminal } from '../terminal.js'

interface InitArguments {
  bridge: string
  state?: string
  drive: string
  phraseOut?: string
  passphraseFile?: string
}

export const command: Command<InitArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('bridge', { type: 'string', demandOption: true, describe: 'address of the bridge' })
      .option('state', { type: 'string', describe: 'state directory (default: ~/.local/state/shardrive/DRIVE)' })
      .option('drive', { type: 'string', default: 'main', describe: 'name of the first drive' })
      .option('phrase-out', {
        type: 'string',
        describe: 'write the 24 words to this new file (0600) instead of showing them',
      })
      .option('passphrase-file', { type: 'string', describe: 'protect the key file with the passphrase in this file' })
      .example(
        'shardrive init --bridge https://bridge.example.org',
        'shows 24 words: write them down',
      ) as unknown as Argv<InitArguments>,
  async run(args: Arguments<InitArguments>, terminal: Terminal) {
    const { drawPhrase } = await import('../../crypto/phrase.js')
    const { setUpAccount } = await import('../account-setup.js')
    const { hasDrive } = await import('../../mount/account/drive-files.js')
    const stateDir = stateDirOf(args.state, args.drive)
    if (hasDrive(stateDir)) {
      throw new AppError('drive-exists', `${stateDir} belongs to a drive already`, {
        hint: 'mount it, or choose another directory with --state',
      })
    }
    const passphrase = await readSecret({ file: args.passphraseFile, variable: 'SHARDRIVE_PASSPHRASE' })
    const phrase = await drawPhrase(systemRandom)
    const { phraseOut } = args
    if (phraseOut !== undefined) checkPhraseFile(phraseOut)
    const facts = await setUpAccount(phrase, {
      stateDir,
      bridgeUrl: args.bridge,
      driveName: checkDriveName(args.drive),
      ...(passphrase === null ? {} : { passphrase }),
      // Before anything exists that only the phrase could open.
      ...(phraseOut === undefined ? {} : { beforeCreate: () => writePhrase(phraseOut, phrase) }),
    })
    passphrase?.wipe()
    const named =
      args.state !== undefined ? ` --state ${args.state}` : args.drive === 'main' ? '' : ` --drive ${args.drive}`
    const shown = args.phraseOut === undefined ? { phrase } : { phraseFile: args.phraseOut }
    terminal.result({ account: facts.account, drive: facts.drive, device: facts.device, state: stateDir, ...shown }, [
      'These 24 words are your drive. Whoever has them can read it; without them and this machine nobody can.',
      'Write them down on paper. They are not shown again.',
      '',
      ...(args.phraseOut === undefined ? phraseLines(phrase) : [`  (written to ${args.phraseOut})`]),
      '',
      `Drive '${facts.name}' is ready: shardrive mount MOUNTPOINT${named}`,
    ])
  },
}

function phraseLines(phrase: string): string[] {
  const words = phrase.split(' ')
  return Array.from({ length: 6 }, (_, row) =>
    words
      .slice(row * 4, row * 4 + 4)
      .map((word, column) => `${String(row * 4 + column + 1).padStart(4)} ${word.padEnd(10)}`)
      .join(''),
  )
}
