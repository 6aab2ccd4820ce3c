/** `shardrive host init`: make this machine a host. Asks on a terminal for what was not said; takes all of it as options. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import { askForInit, type InitWords } from '../host-questions.js'
import { declareSettings, defaultHostDir, parseSettings, settingLines, withSettings } from '../host-settings.js'
import { Questions } from '../questions.js'
import type { Terminal } from '../terminal.js'

interface InitArguments extends InitWords {
  yes: boolean
}

export const init: Command<InitArguments> = {
  declare: (yargs: Argv) =>
    declareSettings(
      yargs
        .option('dir', { type: 'string', describe: 'folder that will hold the shards and the identity of this host' })
        .option('bridge', { type: 'string', describe: 'address of the bridge' }),
    )
      .option('yes', { type: 'boolean', default: false, describe: 'ask nothing: what is not said is not limited' })
      .example('shardrive host init', 'asks for everything')
      .example(
        'shardrive host init --yes --dir /srv/shardrive --bridge https://bridge.example.org --space 500GB',
        'for scripts',
      ) as unknown as Argv<InitArguments>,
  async run(args: Arguments<InitArguments>, terminal: Terminal) {
    const isAsked = process.stdin.isTTY === true && !args.yes && !args.json
    const questions = isAsked ? new Questions() : null
    try {
      const words = questions === null ? expectWhole(args) : await askForInit(questions, args)
      const { dir = defaultHostDir(), bridge: bridgeUrl = '' } = words
      const { capacityBytes = 0, ...settings } = await parseSettings(words)
      if (questions !== null) {
        terminal.say(['', `folder    ${path.resolve(dir)}`, `bridge    ${bridgeUrl}`].join('\n'))
        for (const line of settingLines({ capacityBytes, ...settings })) terminal.say(line)
        if (!(await questions.confirm('make this host'))) throw new AppError('interrupted', 'stopped: nothing was made')
      }
      await make({ dir: path.resolve(dir), bridgeUrl, capacityBytes, settings }, terminal)
    } finally {
      questions?.close()
    }
  },
}

async function make(
  init: { dir: string; bridgeUrl: string; capacityBytes: number; settings: Awaited<ReturnType<typeof parseSettings>> },
  terminal: Terminal,
): Promise<void> {
  const { initHost } = await import('../host-process.js')
  const { dir, bridgeUrl, capacityBytes, settings } = init
  const config = withSettings({ version: 1, bridge: '', bridgeUrl, capacityBytes }, settings)
  const { version: _version, bridge: _bridge, ...said } = config
  const host = await initHost({ dir, ...said })
  terminal.result({ host, dir, ...said }, [
    `host ${host}`,
    ...settingLines(said),
    `start it with: shardrive host run --dir ${dir}`,
  ])
}

function expectWhole(args: InitWords): InitWords {
  const missing = (['dir', 'bridge', 'space'] as const).filter((name) => args[name] === undefined)
  if (missing.length === 0) return args
  throw new AppError('usage', `missing: ${missing.map((name) => `--${name}`).join(', ')}`, {
    hint: 'say them, or run this on a terminal and be asked',
  })
}
