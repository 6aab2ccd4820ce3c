/** What a running bridge says of itself to its operator: asked over its own HTTP API, signed with its own key. */

import { existsSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { systemRandom } from '../base/random.js'
import { loadBridgeKey } from '../bridge/bridge-key.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { bridgeStatus } from '../bridge-client/repair-calls.js'
import { bridgeId } from '../model/ids.js'
import type { BridgeStatus } from '../wire/repair-api.js'
import { settleBridge } from './bridge-settings.js'

/** `not-found` where no bridge was ever run; `bridge-unreachable` when it does not run. */
export async function readBridgeStatus(dir: string): Promise<BridgeStatus> {
  if (!existsSync(path.join(dir, 'bridge.json'))) {
    throw new AppError('not-found', `${dir} is no folder of a bridge`, { hint: 'shardrive bridge run makes it' })
  }
  const { listen } = settleBridge(dir, {})
  const key = loadBridgeKey(dir, systemRandom)
  try {
    // On this machine, whatever proxy the outside sees; an address for all is reached by the loopback.
    const url = `http://${listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`
    const options = { allowInsecure: true }
    const client = new BridgeClient({ url, bridge: bridgeId(key.id), key, clock: systemClock }, options)
    return await bridgeStatus(client)
  } finally {
    key.wipe()
  }
}

export function statusLines(status: BridgeStatus): string[] {
  const { hosts, repairs, scheme } = status
  const states = Object.entries(hosts.states).filter(([, count]) => count > 0)
  const lines = [
    `hosts     ${hosts.online} of ${hosts.total} online, ${hosts.away} away too long, ${hosts.leaving} leaving`,
    `          ${states.map(([state, count]) => `${state} ${count}`).join(', ') || 'none yet'}`,
    `scheme    ${scheme.k}/${scheme.n} for new data`,
    `repair    ${repairs.queued} segments queued, ${repairs.leased} in work, ${repairs.endangered} within two losses of their end`,
    `garbage   ${status.deletions} orders to hosts that are not answered yet`,
  ]
  if (status.frozen) lines.push('FROZEN    the database came back from a backup: run shardrive bridge reconcile')
  if (repairs.waiting > 0) {
    lines.push(`UNREADABLE ${repairs.waiting} segments: too few of their hosts are there; they are kept and waited for`)
    for (const { drive, segments } of repairs.waitingDrives) lines.push(`          drive ${drive}: ${segments}`)
  }
  if (repairs.dead > 0)
    lines.push(`DEAD      ${repairs.dead} segments are not of one code word: their uploaders made them so`)
  if (repairs.heldUntil !== null) {
    lines.push(
      `HELD      too many hosts vanished at once: repair waits until ${new Date(repairs.heldUntil).toISOString()}`,
    )
  }
  return lines
}
