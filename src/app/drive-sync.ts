/** The writing and following half of a drive, composed: chain, publisher, cutter, snapshots, lease, witnesses; and the first start. */
import path from 'node:path'
import { release } from '../addon/memory.js'
import type { Clock } from '../base/clock.js'
import type { AppError } from '../base/errors.js'
import type { Log } from '../base/log.js'
import type { RandomBytes } from '../base/random.js'
import { deviceId, type HostId, hostId, idBytes, type SegmentId } from '../model/ids.js'
import type { PlacementGrant, SegmentInfo } from '../model/segment.js'
import type { BatchChanges } from '../mount/metadata/batch-changes.js'
import { Cutter } from '../mount/sync/cutter.js'
import { DriveChain, loadChainState } from '../mount/sync/drive-chain.js'
import { EpochPublisher } from '../mount/sync/publisher.js'
import { RecordSpool } from '../mount/sync/record-spool.js'
import { readChain, rebuildLedger } from '../mount/sync/recovery.js'
import type { Retelling } from '../mount/sync/retelling.js'
import { type SnapshotParts, Snapshotter } from '../mount/sync/snapshotter.js'
import { HeadWitnesses } from '../mount/sync/witnesses.js'
import { WriterLease } from '../mount/sync/writer-lease.js'
import { plainUnits } from '../mount/writer/plain-units.js'
import { SegmentPusher } from '../mount/writer/pusher.js'
import { StagedStorer } from '../mount/writer/storer.js'
import { decodeEpoch } from '../permits/chain-bodies.js'
import { decodeRecord } from '../permits/chain-record.js'
import type { ChainState } from '../permits/chain-state.js'
import { verifyReceipt } from '../permits/receipt.js'
import { type SealedSegment, sealSegment } from '../segment/seal.js'
import type { DriveIdentity } from './drive-identity.js'
import type { DriveNetwork } from './drive-network.js'
import { composeRetelling } from './drive-retelling.js'
import type { DriveStorage } from './drive-storage.js'
import { DriveUpkeep, type UpkeepOptions } from './drive-upkeep.js'

export interface SyncParts {
  identity: DriveIdentity
  network: DriveNetwork
  storage: DriveStorage
  clock: Clock
  random: RandomBytes
  log: Log
  onChanges(changes: BatchChanges): Promise<void>
  onPublished(): void
}

export interface SyncOptions extends UpkeepOptions {
  snapshotLogBytes?: number
}

export interface DriveSync {
  chain: DriveChain
  publisher: EpochPublisher
  cutter: Cutter
  upkeep: DriveUpkeep
  witnesses: HeadWitnesses
  retelling: Retelling
  /** What waits for a retry is tried at once: a person waits. */
  hurry(): void
  /** Of the epoch that is being stored: bytes that are on hosts already. */
  storedBytes(): number
}

/** The chain state that this device trusts: its own, or, for a device without one, what it rebuilds from the phrase's chain. */
export async function ensureChainState(
  parts: Pick<SyncParts, 'identity' | 'network' | 'storage' | 'log'>,
  stateDir: string,
  progress: (done: number, total: number, note: string) => void,
  signal: AbortSignal,
): Promise<{ state: ChainState; isRebuilt: boolean }> {
  const { identity, network, storage, log } = parts
  const known = await loadChainState(storage.ledger)
  if (known !== null) return { state: known, isRebuilt: false }
  const spool = new RecordSpool(path.join(stateDir, 'recovery.spool'))
  try {
    const bridge = network.chain()
    const chain = await readChain(bridge, identity.facts, spool, signal, (done, total) =>
      progress(done, total, 'records'),
    )
    const segments = {
      read: (info: SegmentInfo, offset: number, length: number) =>
        storage.reader.fetchSegmentRange(info, offset, length, signal),
    }
    await rebuildLedger(
      chain,
      spool,
      storage.terms,
      { bridge, ledger: storage.ledger, segments, log, progress },
      signal,
    )
    await findHosts(chain, spool, network, storage, signal).catch((error: unknown) =>
      log.debug({ err: error }, 'no hosts found yet'),
    )
    return { state: chain.state, isRebuilt: true }
  } finally {
    spool.close()
  }
}

/** Beats come every 20 s. */
const HEARTBEAT_MS = 20_000

const HOSTS_KEY = 'known-hosts'
/** Hosts that are asked for witnesses and dialed ahead of need after a start. */
const HOSTS_KEPT = 64
/** The newest segments tell where the newest witnesses may be. */
const SEGMENTS_LOCATED = 32

/** Hosts of this drive that were seen last, newest first. */
export async function loadHosts(ledger: DriveStorage['ledger']): Promise<HostId[]> {
  const saved = await ledger.getMeta(HOSTS_KEY)
  const hosts: HostId[] = []
  for (let at = 0; saved !== null && at + 32 <= saved.length; at += 32) hosts.push(hostId(saved.subarray(at, at + 32)))
  return hosts
}

async function saveHosts(ledger: DriveStorage['ledger'], seen: readonly HostId[]): Promise<void> {
  const known = await loadHosts(ledger)
  if (seen.every((host) => known.includes(host))) return
  const hosts = [...new Set([...seen, ...known])].slice(0, HOSTS_KEPT)
  await ledger.putMeta({ [HOSTS_KEY]: Buffer.concat(hosts.map(idBytes)) })
}

/** A device that was just recovered learns its hosts from where the newest segments lie. */
async function findHosts(
  chain: Awaited<ReturnType<typeof readChain>>,
  spool: RecordSpool,
  network: DriveNetwork,
  storage: DriveStorage,
  signal: AbortSignal,
): Promise<void> {
  const newest: SegmentId[] = []
  for (const { at } of [...chain.epochs].reverse()) {
    newest.push(...decodeEpoch(decodeRecord(spool.read(at)).body).confirm)
    if (newest.length >= SEGMENTS_LOCATED) break
  }
  if (newest.length === 0) return
  const located = await network.locate(newest.slice(0, SEGMENTS_LOCATED), { signal })
  const hosts = located.flatMap((one) => one.shards.flatMap(({ host }) => (host === null ? [] : [host])))
  await saveHosts(storage.ledger, [...new Set(hosts)])
}

export function composeSync(state: ChainState, parts: SyncParts, options: SyncOptions): DriveSync {
  const { identity, network, storage, clock, random, log } = parts
  const { ledger, terms } = storage
  terms.learn(state)
  const chain = new DriveChain(state, {
    bridge: network.chain(),
    ledger,
    terms,
    device: identity.device,
    clock,
    random,
    log,
    onChanges: parts.onChanges,
  })
  const retelling = composeRetelling(parts, chain)
  const storer = makeStorer(parts)
  const snapshotParts: SnapshotParts = {
    ledger,
    storeSegment: (plain, signal) => storer.storePlain(plain, signal),
    scheme: () => network.scheme(),
    chain,
    log,
  }
  const snapshotter = new Snapshotter(snapshotParts, options.snapshotLogBytes)
  const witnesses = makeWitnesses(parts)
  let upkeep: DriveUpkeep
  const publisher = new EpochPublisher({
    ledger,
    storer,
    chain,
    clock,
    log,
    onPublished: async (epoch, operationBytes, signal) => {
      parts.onPublished()
      witnesses.leaveSoon(chain.state.head, signal)
      await snapshotter.published(epoch, operationBytes, signal)
    },
    onStopped: (error) => upkeep.distrustBridge(error),
  })
  const cutter = new Cutter({
    ledger,
    clock,
    log,
    onPending: () => publisher.poke(),
    wantsView: () => snapshotter.wantsView(),
    onCut: (cut, hasView) => {
      snapshotter.noteCut(cut, hasView)
      publisher.poke()
    },
  })
  const lease = makeLease(parts, chain, (error) => upkeep.distrustBridge(error))
  upkeep = new DriveUpkeep(
    {
      chain,
      lease,
      retelling,
      cutter,
      publisher,
      checkWitnesses: async (signal) => witnesses.check(() => chain.state, await loadHosts(ledger), signal),
      prepare: () => prepare(ledger, snapshotter),
      setReadOnly: (reason) => ledger.setReadOnly(reason),
      clock,
      log,
    },
    options,
  )
  const hurry = makeHurry(parts, storer, upkeep)
  return { chain, publisher, cutter, upkeep, witnesses, retelling, hurry, storedBytes: () => storer.doneBytes }
}

/** When the bridge is back, and when a person waits, what waits for a retry does not wait for the end of its pause. */
function makeHurry({ network }: SyncParts, storer: StagedStorer, upkeep: DriveUpkeep): () => void {
  const tryAgain = () => {
    storer.hurry()
    upkeep.hurry()
  }
  network.socket.onState((line) => line.connected && tryAgain())
  return () => {
    network.socket.hurry()
    tryAgain()
  }
}

/** Staged bytes on their way to hosts. */
function makeStorer({ network, storage, clock, log }: SyncParts): StagedStorer {
  const pusher = new SegmentPusher({
    placements: network.placements(),
    peers: network.peers,
    checkReceipt: (receipt, expected) => void verifyReceipt(receipt, expected),
    clock,
    log,
  })
  return new StagedStorer({
    ledger: storage.ledger,
    seal: sealSegment,
    pusher,
    terms: storage.terms,
    scheme: () => network.scheme(),
    clock,
    onSealed: (info, rows) => storage.cache.put(info.segment, plainUnits(info, rows)),
    onStored: (segment, grant) => keep(storage, segment, grant, log),
    release,
  })
}

function makeWitnesses({ identity, network, storage, clock, log }: SyncParts): HeadWitnesses {
  return new HeadWitnesses({
    drive: identity.facts.drive,
    device: identity.device,
    peers: network.peers as { request: typeof network.peers.request; connected(): HostId[] },
    hashAt: async (sequence) =>
      (await storage.ledger.loadRecords(sequence)).find((one) => one.sequence === sequence)?.hash ?? null,
    token: (host, signal) => storage.tokens.token(host, signal),
    clock,
    log,
  })
}

function makeLease(parts: SyncParts, chain: DriveChain, onFenced: (error: AppError) => void): WriterLease {
  const { identity, network, clock, log } = parts
  return new WriterLease({
    bridge: {
      head: (signal) => network.head(signal),
      heartbeat: (beat, signal) => network.heartbeat(beat, signal ?? AbortSignal.timeout(HEARTBEAT_MS)),
      nowMs: () => network.client.time.nowMs(),
    },
    chain,
    device: deviceId(identity.device.id),
    clock,
    log,
    onFenced,
  })
}

async function prepare(ledger: DriveStorage['ledger'], snapshotter: Snapshotter): Promise<void> {
  await snapshotter.load()
  // Of attempts that ended with the process: nothing names them, and the bridge lets them die after 72 h.
  const lost = await ledger.pendingSegments()
  if (lost.length > 0) await ledger.forgetPendingSegments(lost)
}

/** What was just stored is remembered: where it lies. */
function keep(storage: DriveStorage, segment: SealedSegment, grant: PlacementGrant, log: Log): void {
  const { info, shardIds } = segment
  const shards = grant.hosts.map(({ index, host }) => ({
    index,
    host,
    shard: shardIds[index] as (typeof shardIds)[number],
  }))
  storage.placements
    .learn(info, { segment: info.segment, generation: grant.generation, shards })
    .catch((error: unknown) => {
      log.debug({ err: error }, 'a placement was not remembered')
    })
  void saveHosts(
    storage.ledger,
    grant.hosts.map(({ host }) => host),
  ).catch(() => undefined)
}
