/**
 * A device of the NAT lab: a new account, the line to the bridge and the peers of a mount (app/drive-network.ts), and then to
 * each host at once: a connection, a shard put with its token, the same shard back, verified. argv: bridge URL, state
 * directory, number of hosts, `relay-only` or nothing. Prints one JSON line.
 */
import { setUpAccount } from '../../src/app/account-setup.js'
import { openIdentity } from '../../src/app/drive-identity.js'
import { DriveNetwork } from '../../src/app/drive-network.js'
import { REAL_SURROUNDINGS } from '../../src/app/surroundings.js'
import { systemClock } from '../../src/base/clock.js'
import { AppError } from '../../src/base/errors.js'
import { openLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import { drawPhrase } from '../../src/crypto/phrase.js'
import { SecretBytes } from '../../src/crypto/secret.js'
import type { HostId } from '../../src/model/ids.js'
import { LEAF_BYTES } from '../../src/model/segment.js'
import { type SealedSegment, sealSegment } from '../../src/segment/seal.js'
import { decodeGetReply, encodeGetRequest, encodeTokenHead, getReplyBytesMax, METHOD } from '../../src/wire/methods.js'
import { until } from './programs.js'
import { rampBytes } from './ramp.js'

export interface Reached {
  host: string
  kind: 'direct' | 'relayed' | 'impossible'
  /** Until the first answer, or until it was given up. */
  tookMs: number
  error?: string
  /** The first dial came to nothing, and another one did not: as a drive, which dials again. */
  again?: boolean
}

const SHARD_BYTES = 100_000
const DEADLINE_MS = 25_000
const SETTLE_MS = 3_000

/** The transport's own pause is half of it. */
const DIAL_AGAIN_MS = 1_000

const [bridgeUrl = '', stateDir = '', hosts = '', how = ''] = process.argv.slice(2)
const log = openLog('device')
await setUpAccount(await drawPhrase(systemRandom), { stateDir, bridgeUrl, driveName: 'main' })
const identity = await openIdentity(stateDir)
const parts = { ...REAL_SURROUNDINGS, log, relayOnly: how === 'relay-only' }
const network = new DriveNetwork(identity.facts, identity.device, parts)
// What it is sealed with is nobody's business but the owner's.
const key = { key: SecretBytes.random(32, systemRandom), number: 1 }
const scheme = { dataShards: 1, totalShards: Number(hosts) }
const segment = await sealSegment(key, [rampBytes(1, SHARD_BYTES)], scheme)
const signal = AbortSignal.timeout(60_000)
// A host says that it is ready before its bridge has heard of it.
await until('all hosts are online', async () => (await network.client.space()).hostsOnline === Number(hosts))
const grant = await network.placements().place(segment, signal)
const tokens = await network.tokens(
  grant.hosts.map((one) => one.host),
  signal,
)
const reached = await Promise.all(
  grant.hosts.map(async (one) => {
    const first = await reach(segment, one)
    if (first.kind !== 'impossible' || /block UDP/.test(first.error ?? '')) return first
    await systemClock.sleep(DIAL_AGAIN_MS)
    return { ...(await reach(segment, one)), again: true }
  }),
)
process.stdout.write(`${JSON.stringify({ reached, status: network.peers.paths() })}\n`)
await network.stop()

async function reach(
  { shards, shardIds, info }: SealedSegment,
  { host, index, token }: { host: HostId; index: number; token: Buffer | null },
): Promise<Reached> {
  const startedMs = performance.now()
  const tookMs = () => Math.round(performance.now() - startedMs)
  const ask = (method: number, head: Buffer, body?: Buffer) => {
    const replyBytesMax = method === METHOD.get ? getReplyBytesMax(leafCount) : 0
    const request = { method, head, deadlineMs: DEADLINE_MS, replyBytesMax, signal }
    return network.peers.request(host, body === undefined ? request : { ...request, body })
  }
  const leafCount = Math.ceil(info.shardLength / LEAF_BYTES)
  const shard = shardIds[index] as (typeof shardIds)[number]
  const body = shards.subarray(index * info.shardLength, (index + 1) * info.shardLength)
  try {
    await ask(METHOD.ping, Buffer.alloc(0))
    const openMs = tookMs()
    if (token === null) throw new Error('the bridge gave no token')
    await ask(METHOD.put, encodeTokenHead(token), body)
    const get = { token: tokens.get(host) as Buffer, shard, firstLeaf: 0, leafCount }
    const reply = await ask(METHOD.get, encodeGetRequest(get))
    const isSame = decodeGetReply(reply.head).shardLength === body.length && reply.body.equals(body)
    if (!isSame) throw new Error('the shard came back changed')
    // A relay may be the first way that opens; a better one takes its place a little later.
    for (let waitedMs = 0; waitedMs < SETTLE_MS && network.peers.pathTo(host)?.kind === 'relayed'; waitedMs += 100) {
      await systemClock.sleep(100)
    }
    const path = network.peers.pathTo(host)
    if (path === undefined) throw new Error('the connection has no path')
    return { host, kind: path.kind, tookMs: openMs }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { host, kind: 'impossible', tookMs: tookMs(), error: `${error.message} [${error.code}]` }
  }
}
