/** `shardrive host fsck`: checks a host that does not run against itself. */
import path from 'node:path'
import type { Argv } from 'yargs'
import type { Arguments, Command } from '../command.js'
import { exitCodes } from '../exit-codes.js'
import { defaultHostDir } from '../host-settings.js'
import { formatBytes } from '../numbers.js'
import type { Terminal } from '../terminal.js'

interface FsckArguments {
  dir: string
}

export const fsck: Command<FsckArguments> = {
  declare: (yargs: Argv) =>
    yargs
      .option('dir', { type: 'string', default: defaultHostDir(), describe: 'folder made by host init' })
      .example('shardrive host fsck --dir /srv/shardrive', 'reads everything; exit code 0: sound, 7: damaged')
      .example(
        'shardrive host fsck --dir /srv/shardrive --json',
        'findings with their codes; 8: the host runs',
      ) as unknown as Argv<FsckArguments>,
  async run(args: Arguments<FsckArguments>, terminal: Terminal) {
    const { checkHostFolder } = await import('../host-check.js')
    const check = await checkHostFolder(path.resolve(args.dir))
    const lines = check.findings.map((one) => `${one.code}: ${one.message}`)
    const more = check.found - check.findings.length
    if (more > 0) lines.push(`and ${more} more like these`)
    const sum = `${check.shards} shards and ${check.trashShards} in the trash, ${formatBytes(check.bytes)} read`
    const behind =
      check.behindBytes > 0
        ? [
            `${formatBytes(check.behindBytes)} of volumes are not in the index yet and were not read: the next start takes them in`,
          ]
        : []
    terminal.result(check, [...(check.found === 0 ? [`sound: ${sum}`] : [...lines, sum]), ...behind])
    return check.found === 0 ? exitCodes.ok : exitCodes.damaged
  },
}
