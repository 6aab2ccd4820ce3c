/** How a command speaks to a running host, and to the bridge in a host's name while it runs or not. */
import { AppError, isCode } from '../base/errors.js'
import type { BridgeClient } from '../bridge-client/bridge-client.js'
import type { HostConfig } from '../host/config.js'
import { readHostConfig, readHostKey } from '../host/folder.js'
import { type HostId, hostId } from '../model/ids.js'
import { callDaemon } from '../mount/control/client.js'
import { hostControlPath } from './host-daemon.js'
import { clientOf } from './host-process.js'
import { REAL_SURROUNDINGS } from './surroundings.js'

/** Null: no host runs in this folder, as far as anybody can tell. */
export async function askHost(dir: string, method: 'status' | 'reload'): Promise<Record<string, unknown> | null> {
  try {
    return await callDaemon(hostControlPath(dir), method)
  } catch (error) {
    if (isCode(error, 'daemon-not-running')) return null
    if (!isCode(error, 'state-unreadable')) throw error
    throw new AppError('state-unreadable', `the host in ${dir} belongs to another user`, {
      cause: error,
      hint: 'run the command as the user who runs the host, or as root',
    })
  }
}

export interface HostIdentity {
  host: HostId
  config: HostConfig
  client: BridgeClient
}

/** Speaks with the host's own key; takes no lock, so the host may run. */
export function openIdentity(dir: string): HostIdentity {
  const config = readHostConfig(dir)
  const key = readHostKey(dir)
  return { host: hostId(key.publicKey), config, client: clientOf(config, key, REAL_SURROUNDINGS) }
}
