/**
 * Name and icon of a mount in the sidebar of a file manager: options of the desktop (gvfs), which no kernel knows and which are kept
 * beside the mount table, in libmount's /run/mount/utab. For ordinary users fusermount3 (3.17 and later) writes them there; for root
 * we ask mount(8) to, without mounting anything. A mount without them shows as its folder's name: nothing depends on them.
 */
import fsp from 'node:fs/promises'
import { findProgram, runProgram } from './program.js'

export interface MountLabel {
  readonly name: string
  /** Of the icon theme: letters, digits and dashes. */
  readonly icon: string
}

const TABLE = '/run/mount/utab'

/** Percent-encoded: a comma would end the option, a space the line of the table. */
export function labelOptions({ name, icon }: MountLabel): string {
  return `x-gvfs-show,x-gvfs-name=${encodeURIComponent(name)},x-gvfs-icon=${encodeURIComponent(icon)}`
}

/** Root only; false when it could not be written. */
export async function noteLabel(mountPoint: string, source: string, type: string, label: MountLabel): Promise<boolean> {
  const words = ['--fake', '--internal-only', '--no-canonicalize', '-t', type, '-o', labelOptions(label)]
  return succeeds('mount', [...words, '--', source, mountPoint])
}

/** Root only, after the unmount: libmount did not see it. */
export async function forgetLabel(mountPoint: string): Promise<void> {
  const table = await fsp.readFile(TABLE, 'latin1').catch(() => '')
  if (table.includes('SRC=shardrive'))
    await succeeds('umount', ['--fake', '--internal-only', '--no-canonicalize', '--', mountPoint])
}

async function succeeds(name: string, words: readonly string[]): Promise<boolean> {
  const program = findProgram([name])
  if (program === null) return false
  try {
    return (await runProgram(program, words)).status === 0
  } catch {
    return false
  }
}
