/** What a bridge was told at its starts, kept in its folder as bridge.json. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { AppError, isCode } from '../base/errors.js'
import { readSmall, writeWhole } from '../base/folders.js'
import type { BridgeConfig } from '../bridge/config.js'
import { parseBridgeUrl } from '../bridge-client/bridge-url.js'
import { Hex32, Policy } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import { Type } from '../wire/schema.js'

const BridgeJson = Type.Object(
  {
    version: Type.Literal(1),
    listen: Type.String({ maxLength: 256 }),
    policy: Policy,
    /** Both, or neither: then the scheme is the ladder's. */
    dataShards: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
    totalShards: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
    publicUrl: Type.Optional(Type.String({ maxLength: 2_048 })),
    workers: Type.Optional(Type.Array(Hex32, { maxItems: 64 })),
    /** False: repairs are left to the workers. */
    repairsHere: Type.Optional(Type.Boolean()),
    ice: Type.Optional(Type.Array(Type.String({ maxLength: 512 }), { maxItems: 16 })),
    behindProxy: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

export type BridgeSettings = Partial<BridgeConfig>

/** Far above sixteen servers of 512 characters. */
const SETTINGS_BYTES_MAX = 65_536

const LISTEN = '127.0.0.1:7400'
/** Where domains are ignored there is nothing to count rungs by. */
const SINGLE_MACHINE_SCHEME = { dataShards: 4, totalShards: 8 }

/**
 * What was said at the first start holds for later ones; what is said now is remembered. `malformed`, `state-unreadable`,
 * `bridge-url`; the rest of what cannot be is found by the bridge itself.
 */
export function settleBridge(dir: string, said: BridgeSettings): BridgeConfig {
  const file = path.join(dir, 'bridge.json')
  const kept = existsSync(file) ? keptIn(file) : {}
  const policy = said.policy ?? kept.policy ?? 'standard'
  const scheme = policy === 'standard' ? ('ladder' as const) : SINGLE_MACHINE_SCHEME
  const config: BridgeConfig = {
    listen: LISTEN,
    scheme,
    ...kept,
    ...said,
    policy,
    repair: { ...kept.repair, ...said.repair },
  }
  if (config.publicUrl !== undefined) parseBridgeUrl(config.publicUrl, { allowInsecure: true })
  return config
}

function keptIn(file: string): BridgeSettings {
  const json = decodeJson(BridgeJson, readSettings(file), file)
  const { listen, policy, dataShards, totalShards, publicUrl, workers, repairsHere, ice, behindProxy } = json
  const hasScheme = dataShards !== undefined && totalShards !== undefined
  return {
    listen,
    policy,
    scheme: hasScheme ? { dataShards, totalShards } : 'ladder',
    ...(publicUrl ? { publicUrl } : {}),
    repair: {
      ...(workers ? { workers } : {}),
      ...(repairsHere === undefined ? {} : { inProcess: repairsHere }),
    },
    ...(ice ? { ice } : {}),
    ...(behindProxy === undefined ? {} : { behindProxy }),
  }
}

function readSettings(file: string): Buffer {
  try {
    return readSmall(file, SETTINGS_BYTES_MAX)
  } catch (cause) {
    if (isCode(cause, 'malformed')) throw cause
    throw new AppError('state-unreadable', `${file} cannot be read`, { cause })
  }
}

export function rememberBridge(dir: string, config: BridgeConfig, port: number): void {
  const { policy, scheme, publicUrl, ice, behindProxy } = config
  const listen = config.listen.replace(/:0$/, `:${port}`)
  const json = {
    version: 1,
    listen,
    policy,
    ...(scheme === 'ladder' ? {} : scheme),
    ...(publicUrl ? { publicUrl } : {}),
    ...(config.repair?.workers ? { workers: config.repair.workers } : {}),
    ...(config.repair?.inProcess === undefined ? {} : { repairsHere: config.repair.inProcess }),
    ...(ice ? { ice } : {}),
    ...(behindProxy === undefined ? {} : { behindProxy }),
  }
  writeWhole(path.join(dir, 'bridge.json'), `${JSON.stringify(json, null, 2)}\n`)
}
