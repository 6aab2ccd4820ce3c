/** What an operator decides. Times that tests shorten are here as well. */
import { isIP } from 'node:net'
import { AppError } from '../base/errors.js'
import type { Scheme } from '../model/segment.js'
import type { Policy } from '../wire/api.js'
import { isLoopback } from './placement/domains.js'
import type { RateOptions } from './rates.js'

export interface BridgeConfig {
  /** `host:port`, `[v6]:port`; port 0 takes a free one. */
  listen: string
  policy: Policy
  /** What new segments are sealed with; `ladder`: what the failure domains of the network carry (placement/ladder.ts). */
  scheme: Scheme | 'ladder'
  /** How the outside reaches this bridge; default: where it listens. */
  publicUrl?: string
  /** STUN and TURN servers for all peers. */
  ice?: string[]
  /** A missing host is waited for so long, of the time that it is to serve, before its shards are given to others. */
  awayMs?: number
  /** Between two bursts of audits with a host that is always there. */
  auditEveryMs?: number
  repair?: RepairSettings
  /** A proxy in front says in `x-forwarded-for` where a request came from; without one, never. */
  behindProxy?: boolean
  rates?: { address: RateOptions; key: RateOptions }
}

export interface RepairSettings {
  /** Keys of repair workers beside the bridge, hex. */
  workers?: string[]
  /** False: the bridge leaves repairs to its workers. */
  inProcess?: boolean
  /** Of all repairs, both ways. */
  bytesPerSecond?: number
  /** Of one host, both ways. */
  hostBytesPerSecond?: number
}

/** `bad-listen`, `bad-scheme`, `policy-public`. */
export function checkConfig(config: BridgeConfig): { host: string; port: number } {
  const address = parseListen(config.listen)
  if (config.scheme !== 'ladder') checkScheme(config.scheme)
  if (config.policy === 'single-machine' && !isLoopback(address.host)) {
    throw new AppError('policy-public', `the policy single-machine does not listen on ${address.host}`, {
      hint: 'it keeps all shards on one machine: listen on 127.0.0.1, or use the policy standard',
    })
  }
  return address
}

function checkScheme({ dataShards: k, totalShards: n }: Scheme): void {
  if (!Number.isInteger(k) || !Number.isInteger(n) || k < 1 || n < k || n > 255) {
    throw new AppError('bad-scheme', `${k}/${n} is no scheme: 1 <= k <= n <= 255`)
  }
}

function parseListen(listen: string): { host: string; port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen)
  const host = parts?.[1] ?? parts?.[2] ?? ''
  const port = Number(parts?.[3])
  const named = parts?.[1] === undefined ? isIP(host) === 4 || host === 'localhost' : isIP(host) === 6
  if (!named || !(port <= 65_535)) {
    throw new AppError('bad-listen', `${listen} is no address to listen on`, { hint: 'for example 127.0.0.1:7400' })
  }
  return { host, port }
}
