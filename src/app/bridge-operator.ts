/** The operator of a bridge speaks to it on its own machine, with the bridge's own key. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { systemRandom } from '../base/random.js'
import { loadBridgeKey } from '../bridge/bridge-key.js'
import { BridgeClient } from '../bridge-client/bridge-client.js'
import { bridgeId } from '../model/ids.js'
import { settleBridge } from './bridge-settings.js'

/** `no-bridge` when the folder is of none. The key is wiped behind the work. */
export async function withOperator<T>(dir: string, work: (client: BridgeClient) => Promise<T>): Promise<T> {
  if (!existsSync(path.join(dir, 'bridge.key')) || !existsSync(path.join(dir, 'bridge.json'))) {
    throw new AppError('no-bridge', `there is no bridge in ${dir}`, {
      hint: 'name the folder that the bridge runs in: --dir',
    })
  }
  const { listen } = settleBridge(dir, {})
  const key = loadBridgeKey(dir, systemRandom)
  try {
    const url = `http://${listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`
    const parts = { url, bridge: bridgeId(key.id), key, clock: systemClock }
    return await work(new BridgeClient(parts, { allowInsecure: true }))
  } finally {
    key.wipe()
  }
}
