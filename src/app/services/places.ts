/** Where service files lie, and where the data of services lies when nothing else is said. */
import os from 'node:os'
import path from 'node:path'
import type { Kind, Manager, Scope } from './order.js'

export interface Places {
  units: string
  sysusers: string
  tmpfiles: string
}

/** What an administrator installs lies in /etc; what is packaged (`--root`) in /usr/lib, below that root. */
export function placesOf(manager: Manager, scope: Scope, root: string | null): Places {
  const inRoot = (place: string) => (root === null ? place : path.join(root, place))
  const base = inRoot(root === null ? '/etc' : '/usr/lib')
  const side = { sysusers: path.join(base, 'sysusers.d'), tmpfiles: path.join(base, 'tmpfiles.d') }
  if (manager === 'launchd') {
    const home = root === null && scope === 'user' ? os.homedir() : inRoot('/')
    return { ...side, units: path.join(home, 'Library', scope === 'user' ? 'LaunchAgents' : 'LaunchDaemons') }
  }
  if (scope === 'system') return { ...side, units: path.join(base, 'systemd/system') }
  return { ...side, units: root === null ? path.join(configHome(), 'systemd/user') : path.join(base, 'systemd/user') }
}

function configHome(): string {
  const { XDG_CONFIG_HOME: given } = process.env
  return given !== undefined && path.isAbsolute(given) ? given : path.join(os.homedir(), '.config')
}

/** The folder of a host or bridge, the state directory of a mount. */
export function usualDir(kind: Kind, scope: Scope, manager: Manager, name: string | null): string {
  const folder = `shardrive-${kind}`
  const below = name === null ? folder : path.join(folder, name.replaceAll('/', '-'))
  if (scope === 'system') return path.join(manager === 'systemd' ? '/var/lib' : '/usr/local/var', below)
  if (manager === 'systemd') return path.join(os.homedir(), '.local/state', below)
  return path.join(os.homedir(), 'Library/Application Support/shardrive/services', below)
}

export function usualMountPoint(scope: Scope, drive: string): string {
  return scope === 'system' ? path.join('/srv/shardrive', drive) : path.join(os.homedir(), 'Shardrive', drive)
}

export function logFileOf(scope: Scope, unit: string): string {
  return scope === 'system' ? `/usr/local/var/log/${unit}.log` : path.join(os.homedir(), 'Library/Logs', `${unit}.log`)
}
