/**
 * STUN and TURN servers that the bridge names, for hosts and drives alike. Asked when first needed and remembered; a
 * bridge that is away is asked again for the next connection, so a process that started without it is not left without
 * them. Throws what a bridge that is not ours causes.
 */
import { AppError, isCode } from '../base/errors.js'
import type { Log } from '../base/log.js'

/** Within the time of a dial (10 s), which needs the bridge anyway. */
const ASK_MS = 5_000

/** Of a BridgeClient: the call that is needed here. */
export interface BridgeInfoSource {
  info(options: { timeoutMs: number }): Promise<{ ice: string[] }>
}

export function iceServersOf(client: BridgeInfoSource, log: Log): () => Promise<string[]> {
  let known: Promise<string[]> | undefined
  return async () => {
    known ??= client.info({ timeoutMs: ASK_MS }).then((info) => info.ice)
    try {
      return await known
    } catch (error) {
      known = undefined
      if (!(error instanceof AppError) || isCode(error, 'bridge-signature')) throw error
      log.warn({ code: error.code }, 'the bridge is away; going on without its STUN and TURN servers')
      return []
    }
  }
}
