/** `shardrive host ...`: lend disk space to the network. One file a verb. */
import type { CommandGroup } from '../command.js'
import { doctor } from './host-doctor.js'
import { evidence } from './host-evidence.js'
import { exit } from './host-exit.js'
import { fsck } from './host-fsck.js'
import { init } from './host-init.js'
import { run } from './host-run.js'
import { set } from './host-set.js'
import { status } from './host-status.js'

export const command: CommandGroup = {
  subCommands: [
    { usage: 'init', summary: 'make this machine a host: its identity, its folder, what it lends', command: init },
    { usage: 'run', summary: 'serve shards until stopped', command: run },
    {
      usage: 'status',
      summary: 'how it is, what it holds, what the bridge thinks of it, what it earns',
      command: status,
    },
    { usage: 'set', summary: 'change space, hours, limits, address; a running host follows at once', command: set },
    { usage: 'doctor', summary: 'how this host is reached, and what to do about it', command: doctor },
    { usage: 'evidence', summary: 'what the bridge holds against it, checked here', command: evidence },
    { usage: 'fsck', summary: 'check what a stopped host holds against itself; reads everything', command: fsck },
    { usage: 'exit', summary: 'leave in good order: every shard moves to other hosts first', command: exit },
  ],
}
