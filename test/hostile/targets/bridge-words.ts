/** What a client of the bridge keeps, and its address. */
import { silentLog } from '../../../src/base/log.js'
import { parseBridgeUrl } from '../../../src/bridge-client/bridge-url.js'
import { GetTokens } from '../../../src/bridge-client/get-tokens.js'
import { type HostId, hostId } from '../../../src/model/ids.js'
import { hex, readVectors } from '../../support/vectors.js'
import { decoder, spoilBytes } from '../target.js'

const TOKEN = readVectors<{ put: { encoded: string } }>('token/token').put.encoded
const host = hostId(hex(TOKEN).subarray(42, 74))
/** Rows of a database of ours: what does not read as tokens is as good as none. */
export const keptTokens = decoder('kept tokens', ['src/bridge-client/get-tokens.ts'], {
  samples: [hex(TOKEN), Buffer.concat([hex(TOKEN), hex(TOKEN)])],
  spoil: (dice, samples) => spoilBytes(dice, samples),
  take: async (input) => {
    const tokens = new GetTokens({
      fetch: async () => new Map<HostId, Buffer>(),
      nowMs: () => 1_700_000_000_000,
      store: { load: async () => input, save: async () => undefined },
      log: silentLog,
    })
    const found = await tokens.token(host, new AbortController().signal)
    if (!found.subarray(42, 74).equals(hex(host))) throw new Error('a token for another host')
  },
  codes: ['unknown-host'],
})

export const address = decoder('address of a bridge', ['src/bridge-client/bridge-url.ts'], {
  samples: ['https://bridge.example.org', 'http://127.0.0.1:7400', 'http://[::1]:9'].map((text) => Buffer.from(text)),
  take: (input) => {
    const url = parseBridgeUrl(input.toString('utf8'))
    if (url.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(url.hostname)) throw new Error(url.href)
  },
  codes: ['bridge-url', 'bridge-insecure'],
})
