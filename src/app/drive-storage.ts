/** The reading half of a drive, composed: ledger, cache, tokens, placements, shards, units. */
import path from 'node:path'
import type { Clock } from '../base/clock.js'
import type { Log } from '../base/log.js'
import { GetTokens } from '../bridge-client/get-tokens.js'
import { deviceId, type HostId, type SegmentId } from '../model/ids.js'
import { CacheClient } from '../mount/cache/cache-client.js'
import { type LedgerClient, openLedger } from '../mount/metadata/client.js'
import type { LedgerEvents } from '../mount/metadata/ledger.js'
import { FileReader } from '../mount/reader/file-reader.js'
import { HostScores } from '../mount/reader/host-scores.js'
import { Placements } from '../mount/reader/placements.js'
import { SegmentReader } from '../mount/reader/segment-reader.js'
import { type EvidenceKind, ShardReader } from '../mount/reader/shard-reader.js'
import { UnitSource } from '../mount/reader/unit-source.js'
import { DeviceTerms } from '../mount/sync/term-keys.js'
import type { DriveIdentity } from './drive-identity.js'
import type { DriveNetwork } from './drive-network.js'

export interface DriveStorage {
  ledger: LedgerClient
  cache: CacheClient
  tokens: GetTokens
  terms: DeviceTerms
  placements: Placements
  /** Units from hosts, past memory and cache. */
  segments: SegmentReader
  units: UnitSource
  reader: FileReader
  close(): Promise<void>
}

export interface StorageOptions {
  stateDir: string
  cacheBytes: number
  memoryBytes?: number
  events: LedgerEvents
  clock: Clock
  log: Log
}

const TOKENS_KEY = 'get-tokens'

export async function openStorage(
  identity: DriveIdentity,
  network: DriveNetwork,
  options: StorageOptions,
): Promise<DriveStorage> {
  const { stateDir, clock, log, events } = options
  const ledger = await openLedger({ file: path.join(stateDir, 'ledger.db'), stagedKey: identity.stagedKey, events })
  const cache = await CacheClient.open({
    file: path.join(stateDir, 'cache.db'),
    key: identity.cacheKey,
    budgetBytes: options.cacheBytes,
    log,
  })
  const tokens = new GetTokens({
    fetch: (hosts, signal) => network.tokens(hosts, signal),
    nowMs: () => network.client.time.nowMs(),
    store: {
      load: () => ledger.getMeta(TOKENS_KEY),
      save: (bytes) => ledger.putMeta({ [TOKENS_KEY]: bytes }),
    },
    log,
  })
  const terms = new DeviceTerms(deviceId(identity.device.id), identity.box)
  const placements = new Placements({ ledger, locate: (segments, options) => network.locate(segments, options) })
  const scores = new HostScores()
  const shards = new ShardReader({
    peers: network.peers,
    token: (host, signal) => tokens.token(host, signal),
    dropToken: (host) => tokens.forget(host),
    report: (evidence) => reportEvidence(network, identity, evidence, log),
    scores,
    clock,
  })
  const segments = new SegmentReader({
    placements,
    shards,
    scores,
    termKey: (term) => terms.key(term),
    clock,
  })
  const units = new UnitSource({ cache, network: segments }, { memoryBytes: options.memoryBytes })
  const reader = new FileReader({ ledger, units, log })
  const close = async () => {
    await cache.close()
    await ledger.close()
    terms.wipe()
  }
  return { ledger, cache, tokens, terms, placements, segments, units, reader, close }
}

/** For the person who mounts: bytes that were here are not, though nothing is lost. */
export function cacheLine({ cache }: Pick<DriveStorage, 'cache'>): string | null {
  const code = cache.anewAtStart
  if (code === null) return null
  const why = CACHE_WHY[code]
  if (why === undefined) return `the cache of read data cannot be used (${code}): reads come from hosts until it can`
  return `the cache of read data ${why} and is begun anew: nothing is lost, what is read or pinned comes from hosts again`
}

const CACHE_WHY: Readonly<Record<string, string>> = {
  'database-damaged': 'is damaged',
  'database-foreign': 'is of another release',
  'database-too-new': 'is of another release',
}

/** To the bridge, in the background: what a host did wrong. The log keeps it in any case. */
function reportEvidence(
  network: DriveNetwork,
  identity: DriveIdentity,
  evidence: { host: HostId; segment: SegmentId; index: number; kind: EvidenceKind; detail: string },
  log: Log,
): void {
  log.warn(
    { host: evidence.host, kind: evidence.kind, index: evidence.index },
    `a host answered wrongly: ${evidence.detail}`,
  )
  network.client.evidence(identity.facts.drive, evidence).catch((error: unknown) => {
    log.debug({ err: error }, 'the bridge did not take evidence')
  })
}
