/** Mode bridge, composed: key and settings from the folder, the bridge, its own peer for completions. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../base/clock.js'
import { explained, makeFolder } from '../base/folders.js'
import type { Log } from '../base/log.js'
import { systemRandom } from '../base/random.js'
import { type Bridge, startBridge } from '../bridge/bridge.js'
import { loadBridgeKey } from '../bridge/bridge-key.js'
import { type BridgeSettings, rememberBridge, settleBridge } from './bridge-settings.js'
import { openPeers } from './peers.js'

export async function runBridge(dir: string, said: BridgeSettings, log: Log): Promise<Bridge> {
  explained(dir, () => makeFolder(dir))
  const config = settleBridge(dir, said)
  const isSuccessor = existsSync(path.join(dir, 'bridge.key'))
  const key = loadBridgeKey(dir, systemRandom)
  const bridge = await startBridge({
    dir,
    config,
    key,
    isSuccessor,
    clock: systemClock,
    log,
    transport: (signaling) =>
      openPeers({
        key,
        signaling,
        clock: systemClock,
        log,
        nowMs: () => systemClock.nowMs(),
        bridgeUrl: new URL(config.publicUrl ?? `http://${config.listen}`),
        iceServers: async () => config.ice ?? [],
      }),
  })
  rememberBridge(dir, config, bridge.port)
  const stop = bridge.stop.bind(bridge)
  return {
    ...bridge,
    stop: async () => {
      await stop()
      key.wipe()
    },
  }
}
