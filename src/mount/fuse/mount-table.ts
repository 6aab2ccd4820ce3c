/** What is mounted where, from /proc/self/mountinfo. */
import fsp from 'node:fs/promises'

export interface MountEntry {
  /** major:minor of the mounted file system: tells one mount from the next at the same place. */
  readonly device: string
  readonly mountPoint: string
  readonly type: string
  /** What it says it shows. */
  readonly source: string
}

/** Fields of a line before the separator: id, parent, major:minor, root, mount point, options, then optional ones. */
const FIELD_DEVICE = 2
const FIELD_MOUNT_POINT = 4

export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ', 2)
    const fields = before?.split(' ') ?? []
    const device = fields[FIELD_DEVICE]
    const mountPoint = fields[FIELD_MOUNT_POINT]
    const [type, source] = after?.split(' ', 2) ?? []
    if (device === undefined || mountPoint === undefined || type === undefined || source === undefined) continue
    entries.push({ device, mountPoint: unescapeOctal(mountPoint), type, source: unescapeOctal(source) })
  }
  return entries
}

/** Space, tab, newline and backslash are written as \ooo. The text was read as latin1: paths are bytes. */
function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** The topmost mount exactly at `mountPoint` (an absolute, resolved path). */
export async function topMountAt(mountPoint: string): Promise<MountEntry | undefined> {
  const text = await fsp.readFile('/proc/self/mountinfo', 'latin1')
  return parseMountInfo(text).findLast((entry) => entry.mountPoint === mountPoint)
}
