/** How each mode says in one line how it goes: `systemctl status` shows it. */
import type { HostLife } from '../host/host-status.js'
import type { MountLife } from './drive-daemon.js'
import { formatBytes } from './numbers.js'

export function hostLine({ registered, readOnly, capacityBytes, shards, liveBytes, freeBytes }: HostLife): string {
  const bridge = registered ? 'the bridge knows it' : 'the bridge has not answered yet'
  const room = readOnly ? 'READ-ONLY: its disk failed' : `${formatBytes(freeBytes)} free`
  return `serves ${shards} shards, ${formatBytes(liveBytes)} of ${formatBytes(capacityBytes)}; ${room}; ${bridge}`
}

export function bridgeLine(url: string, hostsOnline: number): string {
  return `answers at ${url}; ${hostsOnline === 1 ? '1 host' : `${hostsOnline} hosts`} online`
}

export function mountLine({ mountPoint, readOnly, localBytes, connected }: MountLife): string {
  const stored = localBytes === 0 ? 'all is stored' : `${formatBytes(localBytes)} not stored yet`
  const bridge = connected ? 'bridge connected' : 'the bridge is away'
  return `mounted at ${mountPoint}; ${readOnly === null ? stored : `READ-ONLY: ${readOnly}`}; ${bridge}`
}
