/** `shardrive host set`: change what was said at init, also while the host runs: it hears of it over its control socket. */
import path from 'node:path'
import type { Argv } from 'yargs'
import { AppError } from '../../base/errors.js'
import type { Arguments, Command } from '../command.js'
import {
  declareSettings,
  defaultHostDir,
  parseSettings,
  type SettingWords,
  settingLines,
  withSettings,
} from '../host-settings.js'
import { formatBytes } from '../numbers.js'
import type { Terminal } from '../terminal.js'

interface SetArguments extends SettingWords {
  dir: string
}

export const set: Command<SetArguments> = {
  declare: (yargs: Argv) =>
    declareSettings(
      yargs.option('dir', { type: 'string', default: defaultHostDir(), describe: 'folder made by host init' }),
    )
      .example(
        'shardrive host set --space 1TB',
        'lend more; less than what is used takes nothing new, and throws nothing away',
      )
      .example('shardrive host set --hours 22-07 --up none', '') as unknown as Argv<SetArguments>,
  async run(args: Arguments<SetArguments>, terminal: Terminal) {
    const { readHostConfig, writeHostConfig } = await import('../../host/folder.js')
    const { askHost } = await import('../host-control.js')
    const dir = path.resolve(args.dir)
    const settings = await parseSettings(args)
    if (Object.keys(settings).length === 0) {
      throw new AppError('usage', 'say what to change', {
        hint: 'like --space 1TB; shardrive host set --help lists all',
      })
    }
    const config = withSettings(readHostConfig(dir), settings)
    writeHostConfig(dir, config)
    const isRunning = (await askHost(dir, 'reload')) !== null
    const status = isRunning ? ((await askHost(dir, 'status')) as { space?: { usedBytes: number } } | null) : null
    const usedBytes = status?.space?.usedBytes ?? 0
    const { version: _version, bridge: _bridge, ...said } = config
    const notes = [
      ...(isRunning ? [] : ['not running: it holds from the next start on']),
      ...(settings.udpPort !== undefined && isRunning ? ['the port holds from the next start on'] : []),
      ...(usedBytes > config.capacityBytes
        ? [`${formatBytes(usedBytes)} are used: it takes nothing new until that is less, and throws nothing away`]
        : []),
    ]
    terminal.result({ dir, running: isRunning, ...said, notes }, [...settingLines(said), ...notes])
  },
}
