/** What a service is to be: `shardrive service install` makes an order of what was typed, units and plists are written from it. */

export const KINDS = ['host', 'bridge', 'mount'] as const
export type Kind = (typeof KINDS)[number]
export type Scope = 'user' | 'system'
export type Manager = 'systemd' | 'launchd'

export interface Order {
  kind: Kind
  scope: Scope
  manager: Manager
  /** Tells several of a kind apart: the name of the drive for a mount, null for the one host or bridge of a machine. */
  name: string | null
  /** The program and what stands before its words: `/usr/bin/node /opt/shardrive/dist/main.js`. */
  program: readonly string[]
  /** The folder of host or bridge; the state directory of a mount. */
  dir: string
  /** Mounts only. */
  mountPoint: string | null
  /** Bridges only, and further words of the mode. */
  words: readonly string[]
  /** A unit for all users of a machine that is being put together: it names no folder of one of them. */
  forAll: boolean
  /** The user that a service of the system runs as; null: the one that it brings. */
  runAs: string | null
}

/** The words behind the program. */
export function wordsOf({ kind, dir, name, mountPoint, words }: Order): string[] {
  if (kind !== 'mount') return [kind, 'run', '--dir', dir, ...words]
  return ['mount', '--foreground', '--drive', name ?? 'main', '--state', dir, ...words, mountPoint ?? '']
}

/** What systemd-escape makes of a name inside the name of a unit. */
export function escapeUnitName(name: string): string {
  const bytes = [...Buffer.from(name, 'utf8')]
  return bytes.map((byte, at) => escapeByte(byte, at)).join('')
}

function escapeByte(byte: number, at: number): string {
  const character = String.fromCharCode(byte)
  if (character === '/') return '-'
  if (/[A-Za-z0-9:_]/.test(character) || (character === '.' && at > 0)) return character
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

/** `shardrive-host.service`, `shardrive-mount@main.service`; of launchd the label. */
export function unitNameOf({ kind, name, manager }: Pick<Order, 'kind' | 'name' | 'manager'>): string {
  if (manager === 'launchd') {
    const isOnly = name === null || (kind === 'mount' && name === 'main')
    return `io.shardrive.${kind}${isOnly ? '' : `.${name.replace(/[^A-Za-z0-9_-]/g, '_')}`}`
  }
  return name === null ? `shardrive-${kind}.service` : `shardrive-${kind}@${escapeUnitName(name)}.service`
}
