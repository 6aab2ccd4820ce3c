/** The first screen: the product in one look. Written without yargs, so that it appears at once. */
import { verbGroups } from './verbs.js'

const columnWidth = 22

export function firstScreen(version: string): string {
  const groups = verbGroups.map((group) => {
    const lines = group.verbs.map((verb) => `  ${spelled(verb.usage).padEnd(columnWidth)}${verb.summary}`)
    return [group.title, ...lines].join('\n')
  })
  return `Shardrive ${version}: one private drive on the spare disks of many machines.

What you write into the drive is encrypted here, cut into shards, and kept by hosts that cannot
read it. Any few of them are enough to read it back; 24 words are enough to recover it all.

${groups.join('\n\n')}

Every command takes --json (one object for scripts) and --help (options and an example).
Exit codes: 0 done, 1 bug, 2 usage, 3 unreachable, 4 refused, 5 this machine, 6 not found,
7 damaged, 8 busy or too slow, 9 this host runs in another place, 130 stopped by Ctrl-C.

Start with:  shardrive up ~/drive        then, in a second terminal:  cp -r ~/Pictures ~/drive
`
}

/** yargs' `<mountpoint>` is written MOUNTPOINT, `[path]` is written [PATH]. */
function spelled(usage: string): string {
  return usage.replace(/<(\w+)>|\[(\w+)\]/g, (_, needed?: string, optional?: string) =>
    needed === undefined ? `[${optional?.toUpperCase()}]` : needed.toUpperCase(),
  )
}
