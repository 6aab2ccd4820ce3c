import type { Clock } from '../base/clock.js'
import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import { type RandomBytes, systemRandom } from '../base/random.js'
import { type BridgeId, bridgeId } from '../model/ids.js'
import { API_LIMITS, BridgeInfo, HEADER } from '../wire/api.js'
import { decodeJson } from '../wire/check.js'
import { BridgeClock } from './bridge-clock.js'
import { type BridgeUrlOptions, parseBridgeUrl } from './bridge-url.js'
import { send, unreachable } from './http-exchange.js'
import { verifySignedReply } from './signed-exchange.js'

const TIMEOUT_MS = 20_000

/**
 * Who is the bridge at this address? For init, before a key is pinned: the reply is verified with the key that it names
 * (so that a person can compare it), or with `bridge` when it was told by other means. Codes: `bridge-url`,
 * `bridge-insecure`, `bridge-unreachable`, `not-a-bridge`, `bridge-signature`, `malformed`, `clock-skew`.
 */
export async function fetchBridgeInfo(
  parts: { url: string; clock: Clock; bridge?: BridgeId; random?: RandomBytes },
  options: BridgeUrlOptions & { signal?: AbortSignal; timeoutMs?: number } = {},
): Promise<BridgeInfo> {
  const { clock } = parts
  const url = parseBridgeUrl(parts.url, options)
  const nonce = hexOf((parts.random ?? systemRandom)(16))
  const call = {
    method: 'GET' as const,
    path: '/v1/bridge',
    replyBytesMax: API_LIMITS.jsonBytesMax,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    ...(options.signal ? { signal: options.signal } : {}),
  }
  const sentAtMs = clock.monotonicMs()
  const { status, header, body } = await send(url, call, { [HEADER.nonce]: nonce })
  if (status >= 500) throw unreachable(`${url.host} answered ${status} and is not ready`)
  const time = header(HEADER.bridgeTime)
  const signature = header(HEADER.reply)
  if (status !== 200 || time === null || signature === null) throw notABridge(url)
  const info = decodeJson(BridgeInfo, body, 'GET /v1/bridge')
  verifySignedReply(parts.bridge ?? bridgeId(info.bridge), { nonce, status, signature, time, body })
  const bridgeClock = new BridgeClock(clock)
  bridgeClock.learn(Number(time), clock.monotonicMs() - sentAtMs)
  bridgeClock.expectNear()
  return info
}

function notABridge(url: URL): AppError {
  return new AppError('not-a-bridge', `what answers at ${url.host} is not a bridge`, {
    hint: 'check the address: its name, its port, and that no other program answers there',
  })
}
