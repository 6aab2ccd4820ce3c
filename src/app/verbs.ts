/** Every verb of the command line: how it is written, its line in the help, and where its file is. */
import type { CommandModule } from './command.js'

export interface Verb {
  readonly usage: string
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

export interface VerbGroup {
  readonly title: string
  readonly verbs: readonly Verb[]
}

export const verbGroups: readonly VerbGroup[] = [
  {
    title: 'Try it',
    verbs: [
      {
        usage: 'up [mountpoint]',
        summary: 'a whole network on this machine, and a drive on it; Ctrl-C ends it',
        load: () => import('./commands/up.js'),
      },
    ],
  },
  {
    title: 'Your drive',
    verbs: [
      {
        usage: 'init',
        summary: 'make an account; shows its 24 words once: write them down',
        load: () => import('./commands/init.js'),
      },
      {
        usage: 'recover',
        summary: 'bring account and drive to this machine, from the 24 words',
        load: () => import('./commands/recover.js'),
      },
      { usage: 'mount <mountpoint>', summary: 'show the drive as a folder', load: () => import('./commands/mount.js') },
      { usage: 'unmount <mountpoint>', summary: 'take it away, cleanly', load: () => import('./commands/unmount.js') },
      {
        usage: 'status [path]',
        summary: 'what is only here, what is stored, how healthy it is',
        load: () => import('./commands/status.js'),
      },
      {
        usage: 'sync [path]',
        summary: 'wait until everything so far is stored on hosts',
        load: () => import('./commands/sync.js'),
      },
      {
        usage: 'pin <paths..>',
        summary: 'keep files or folders on this machine, to be read offline',
        load: () => import('./commands/pin.js'),
      },
      { usage: 'unpin <paths..>', summary: 'keep them no longer', load: () => import('./commands/unpin.js') },
      {
        usage: 'evict <paths..>',
        summary: 'free the room that their read bytes take on this disk',
        load: () => import('./commands/evict.js'),
      },
      { usage: 'drive', summary: 'list and create drives', load: () => import('./commands/drive.js') },
      { usage: 'device', summary: 'list and revoke devices', load: () => import('./commands/device.js') },
    ],
  },
  {
    title: 'When something is wrong',
    verbs: [
      {
        usage: 'doctor',
        summary: 'check this machine and the bridge; says what to do',
        load: () => import('./commands/doctor.js'),
      },
      { usage: 'fsck', summary: 'check a drive, repair what loses nothing', load: () => import('./commands/fsck.js') },
    ],
  },
  {
    title: 'Run a part of the network',
    verbs: [
      { usage: 'host', summary: 'lend disk space to the network', load: () => import('./commands/host.js') },
      { usage: 'bridge', summary: 'coordinate a network of hosts', load: () => import('./commands/bridge.js') },
      {
        usage: 'service',
        summary: 'run host, bridge or mount as a service of this machine',
        load: () => import('./commands/service.js'),
      },
    ],
  },
]

/** `mount <mountpoint>` -> `mount` */
export function wordOf(verb: Pick<Verb, 'usage'>): string {
  return verb.usage.split(' ', 1)[0] ?? verb.usage
}

export const verbs: readonly Verb[] = verbGroups.flatMap((group) => group.verbs)
