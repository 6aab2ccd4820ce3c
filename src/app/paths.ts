/**
 * Where this machine keeps our files, by the XDG rules (and Apple's on macOS). Pure: takes the environment, makes no folders.
 *
 *   config   what a person may edit          ~/.config/shardrive
 *   state    identities, ledgers, staged bytes: losing it loses what is not stored yet   ~/.local/state/shardrive
 *   cache    may be deleted at any time      ~/.cache/shardrive
 *   runtime  sockets of running daemons      $XDG_RUNTIME_DIR/shardrive, else state/run
 */
import path from 'node:path'

export interface StandardPaths {
  readonly configDir: string
  readonly stateDir: string
  readonly cacheDir: string
  readonly runtimeDir: string
}

export interface PathsSource {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly platform: NodeJS.Platform
}

const name = 'shardrive'

export function standardPaths({ env, home, platform }: PathsSource): StandardPaths {
  // The specification: a path that is not absolute is to be ignored.
  const given = (variable: string): string | undefined => {
    const value = env[variable]
    return value !== undefined && path.isAbsolute(value) ? path.join(value, name) : undefined
  }
  const isMac = platform === 'darwin'
  const support = path.join(home, 'Library/Application Support', name)
  const stateDir =
    given('XDG_STATE_HOME') ?? (isMac ? path.join(support, 'state') : path.join(home, '.local/state', name))
  return {
    stateDir,
    configDir: given('XDG_CONFIG_HOME') ?? (isMac ? support : path.join(home, '.config', name)),
    cacheDir: given('XDG_CACHE_HOME') ?? path.join(home, isMac ? 'Library/Caches' : '.cache', name),
    runtimeDir: given('XDG_RUNTIME_DIR') ?? path.join(stateDir, 'run'),
  }
}
