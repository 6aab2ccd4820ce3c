/** Mode bridge, composed: key and settings from the folder, the bridge, its own peer for completions. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import Type from 'typebox'
import { systemClock } from '../base/clock.js'
import { explained, makeFolder, writeWhole } from '../base/folders.js'
import type { Log } from '../base/log.js'
import { systemRandom } from '../base/random.js'
import { type Bridge, startBridge } from '../bridge/bridge.js'
import { loadBridgeKey } from '../bridge/bridge-key.js'
import type { BridgeConfig } from '../bridge/config.js'
import { Policy } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import { openPeers } from './peers.js'

const BridgeJson = Type.Object(
  {
    version: Type.Literal(1),
    listen: Type.String({ maxLength: 256 }),
    policy: Policy,
    dataShards: Type.Integer({ minimum: 1, maximum: 255 }),
    totalShards: Type.Integer({ minimum: 1, maximum: 255 }),
    publicUrl: Type.Optional(Type.String({ maxLength: 2_048 })),
    ice: Type.Optional(Type.Array(Type.String({ maxLength: 512 }), { maxItems: 16 })),
  },
  { additionalProperties: false },
)

export type BridgeSettings = Partial<BridgeConfig>

const DEFAULTS: BridgeConfig = {
  listen: '127.0.0.1:7400',
  policy: 'standard',
  scheme: { dataShards: 4, totalShards: 8 },
}

/** What was said at the first start holds for later ones; what is said now is remembered. */
function settle(dir: string, said: BridgeSettings): BridgeConfig {
  const file = path.join(dir, 'bridge.json')
  let kept: BridgeConfig = DEFAULTS
  if (existsSync(file)) {
    const { listen, policy, dataShards, totalShards, publicUrl, ice } = decodeJson(
      BridgeJson,
      readFileSync(file, 'utf8'),
      file,
    )
    kept = {
      listen,
      policy,
      scheme: { dataShards, totalShards },
      ...(publicUrl ? { publicUrl } : {}),
      ...(ice ? { ice } : {}),
    }
  }
  return { ...kept, ...said }
}

function remember(dir: string, config: BridgeConfig, port: number): void {
  const { policy, scheme, publicUrl, ice } = config
  const listen = config.listen.replace(/:0$/, `:${port}`)
  const json = { version: 1, listen, policy, ...scheme, ...(publicUrl ? { publicUrl } : {}), ...(ice ? { ice } : {}) }
  writeWhole(path.join(dir, 'bridge.json'), `${JSON.stringify(json, null, 2)}\n`)
}

export async function runBridge(dir: string, said: BridgeSettings, log: Log): Promise<Bridge> {
  explained(dir, () => makeFolder(dir))
  const config = settle(dir, said)
  const key = loadBridgeKey(dir, systemRandom)
  const bridge = await startBridge({
    dir,
    config,
    key,
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
  remember(dir, config, bridge.port)
  const stop = bridge.stop.bind(bridge)
  return {
    ...bridge,
    stop: async () => {
      await stop()
      key.wipe()
    },
  }
}
