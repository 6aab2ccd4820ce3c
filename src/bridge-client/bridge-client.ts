/**
 * How devices and hosts speak to the bridge: one typed method for each call of docs/protocol.md section 1. The bridge's
 * key is pinned; requests are signed by `key`, replies are verified before they are read. Every call takes a signal
 * and has a time limit; failures are AppErrors (signed-exchange.ts).
 *
 * What the bridge says is checked for shape and that it answers what was asked; whether it is true (roots, chains,
 * tokens, receipts) is for the caller to verify with permits and segment.
 */

import { AppError } from '../base/errors.js'
import { hexOf } from '../base/hex.js'
import type { Head } from '../model/chain.js'
import { type AccountId, type DriveId, driveId, type HostId, type SegmentId } from '../model/ids.js'
import type { PlacementGrant } from '../model/segment.js'
import * as api from '../wire/api.js'
import * as hostApi from '../wire/host-api.js'
import { BridgeCalls, type CallOptions, signalOf } from './bridge-calls.js'
import * as replies from './replies.js'

/** 16 leaves with their paths, and what was signed about them. */
const TRANSCRIPT_BYTES_MAX = 32_768

export class BridgeClient extends BridgeCalls {
  info(options: CallOptions = {}): Promise<api.BridgeInfo> {
    return this.get('/v1/bridge', api.BridgeInfo, options).then((info) => replies.checkInfo(info, this.bridge))
  }

  // Accounts and drives (signed by the account, where the protocol says so)

  createAccount(account: AccountId, recoveryKey: Uint8Array, options: CallOptions = {}): Promise<api.AccountReply> {
    return this.post('/v1/accounts', { account, recoveryKey: hexOf(recoveryKey) }, api.AccountReply, options)
  }

  /** `genesis`: the encoded record. `label`: the sealed drive name. */
  async createDrive(
    genesis: Uint8Array,
    label: Uint8Array,
    options: CallOptions = {},
  ): Promise<{ drive: DriveId; head: Head }> {
    const headers = { [api.HEADER.label]: hexOf(label) }
    const reply = await this.postBytes('/v1/drives', genesis, api.DriveReply, options, headers)
    return { drive: driveId(reply.drive), head: replies.headOf(reply.head) }
  }

  async drives(options: CallOptions = {}): Promise<replies.DriveEntry[]> {
    return replies.driveEntries(await this.get('/v1/drives', api.DriveList, options))
  }

  async devices(drive: DriveId, options: CallOptions = {}): Promise<replies.DeviceEntry[]> {
    return replies.deviceEntries(await this.get(`/v1/drives/${drive}/devices`, api.DeviceList, options))
  }

  // The chain

  async head(drive: DriveId, options: CallOptions = {}): Promise<replies.WriterHead> {
    return replies.writerHead(await this.get(`/v1/drives/${drive}/head`, api.WriterHead, options))
  }

  /** One page of records from `sequence` on, as permits/chain-record.ts: splitRecords takes it; empty behind the head. */
  async chainPage(drive: DriveId, sequence: number, options: CallOptions = {}): Promise<Buffer> {
    return this.run({
      method: 'GET',
      path: `/v1/drives/${drive}/chain?from=${sequence}`,
      replyBytesMax: api.API_LIMITS.bytesMax,
      timeoutMs: options.timeoutMs ?? this.bytesTimeoutMs,
      idempotent: true,
      ...signalOf(options),
    })
  }

  /** The head after it. `head-moved` carries details sequence and hash. Appending what already stands there succeeds. */
  async append(drive: DriveId, record: Uint8Array, options: CallOptions = {}): Promise<Head> {
    return replies.headOf(await this.postBytes(`/v1/drives/${drive}/chain`, record, api.HeadReply, options))
  }

  /**
   * Records that the bridge lost, joined (permits/chain-record.ts), from its head on; for a drive that it does not know, from
   * the genesis, with the sealed drive name. The head after them.
   */
  async restoreChain(
    drive: DriveId,
    records: Uint8Array,
    label: Uint8Array | null,
    options: CallOptions = {},
  ): Promise<Head> {
    const headers: Record<string, string> = label === null ? {} : { [api.HEADER.label]: hexOf(label) }
    const path = `/v1/drives/${drive}/chain/restore`
    return replies.headOf(await this.postBytes(path, records, api.HeadReply, options, headers))
  }

  /** At most 64 segments, 2,048 shards. `other-incarnation` when the bridge is another one by now. */
  restate(drive: DriveId, request: api.RestateRequest, options: CallOptions = {}): Promise<api.RestateReply> {
    return this.post(`/v1/drives/${drive}/restate`, request, api.RestateReply, options)
  }

  async heartbeat(drive: DriveId, beat: api.HeartbeatRequest, options: CallOptions = {}): Promise<void> {
    await this.post(`/v1/drives/${drive}/heartbeat`, beat, api.Done, options)
  }

  // Segments

  /** Answers in the order asked. Split into requests the bridge takes; all or nothing is not promised. */
  async place(
    drive: DriveId,
    segments: readonly replies.PlaceEntry[],
    options: CallOptions = {},
  ): Promise<PlacementGrant[]> {
    const { placeSegmentsMax, placeShardsMax } = api.API_LIMITS
    const grants: PlacementGrant[] = []
    for (const batch of replies.batches(segments, placeSegmentsMax, placeShardsMax, (one) => one.shards.length)) {
      const request = { segments: batch.map(replies.placeRow) }
      const reply = await this.post(`/v1/drives/${drive}/place`, request, api.PlaceReply, options)
      grants.push(...replies.grants(batch, reply))
    }
    return grants
  }

  commit(
    drive: DriveId,
    segment: SegmentId,
    receipts: readonly Uint8Array[],
    options: CallOptions = {},
  ): Promise<{ stored: number; committed: boolean }> {
    const request = { segment, receipts: receipts.map(hexOf) }
    return this.post(`/v1/drives/${drive}/commit`, request, api.CommitReply, options).then((reply) => {
      if (reply.segment !== segment) throw new AppError('malformed', 'commit reply: another segment')
      return { stored: reply.stored, committed: reply.committed }
    })
  }

  /** Segments that the bridge does not know are absent. `totalShards`: the largest n among them, when known. */
  async locate(
    drive: DriveId,
    segments: readonly SegmentId[],
    options: CallOptions & { totalShards?: number } = {},
  ): Promise<replies.LocatedSegment[]> {
    const { locateSegmentsMax, locateShardsMax, shardsMax } = api.API_LIMITS
    const { totalShards = shardsMax } = options
    const found: replies.LocatedSegment[] = []
    for (const batch of replies.batches(segments, locateSegmentsMax, locateShardsMax, () => totalShards)) {
      const reply = await this.post(`/v1/drives/${drive}/locate`, { segments: batch }, api.LocateReply, options)
      found.push(...replies.located(batch, reply))
    }
    return found
  }

  /** GET tokens by host. Hosts that the bridge does not know are absent. */
  async tokens(drive: DriveId, hosts: readonly HostId[], options: CallOptions = {}): Promise<Map<HostId, Buffer>> {
    const found = new Map<HostId, Buffer>()
    for (const batch of replies.batches(hosts, api.API_LIMITS.tokenHostsMax, Number.POSITIVE_INFINITY, () => 1)) {
      const reply = await this.post(`/v1/drives/${drive}/tokens`, { hosts: batch }, api.TokensReply, options)
      for (const [host, token] of replies.tokens(batch, reply)) found.set(host, token)
    }
    return found
  }

  health(drive: DriveId, options: CallOptions = {}): Promise<api.HealthReply> {
    return this.get(`/v1/drives/${drive}/health`, api.HealthReply, options)
  }

  /** Sent once: a lost report of a bad host is better than one that counts twice. */
  async evidence(drive: DriveId, evidence: api.EvidenceRequest, options: CallOptions = {}): Promise<void> {
    await this.post(`/v1/drives/${drive}/evidence`, evidence, api.Done, options, false)
  }

  space(options: CallOptions = {}): Promise<api.SpaceReply> {
    return this.get('/v1/space', api.SpaceReply, options)
  }

  /** With the bridge's own key. */
  reconcile(request: api.ReconcileRequest, options: CallOptions = {}): Promise<api.ReconcileReply> {
    return this.post('/v1/bridge/reconcile', request, api.ReconcileReply, options, false)
  }

  // Hosts

  registerHost(request: hostApi.HostRequest, options: CallOptions = {}): Promise<hostApi.HostReply> {
    return this.post('/v1/hosts', request, hostApi.HostReply, options)
  }

  reportHost(host: HostId, report: hostApi.HostReport, options: CallOptions = {}): Promise<hostApi.ReportReply> {
    return this.post(`/v1/hosts/${host}/report`, report, hostApi.ReportReply, options)
  }

  standing(host: HostId, options: CallOptions = {}): Promise<hostApi.HostStanding> {
    return this.get(`/v1/hosts/${host}/standing`, hostApi.HostStanding, options)
  }

  /** Asks to leave, or to stay after all. */
  exit(host: HostId, request: hostApi.ExitRequest, options: CallOptions = {}): Promise<hostApi.HostStanding> {
    return this.post(`/v1/hosts/${host}/exit`, request, hostApi.HostStanding, options)
  }

  /** At most 1,000 at a time. Said twice it counts once. */
  async reportLosses(host: HostId, request: hostApi.LossesRequest, options: CallOptions = {}): Promise<void> {
    await this.post(`/v1/hosts/${host}/losses`, request, api.Done, options)
  }

  /** What the bridge keeps of a failed audit, unverified (permits/audit.ts). */
  transcript(host: HostId, id: number, options: CallOptions = {}): Promise<Buffer> {
    return this.run({
      method: 'GET',
      path: `/v1/hosts/${host}/transcripts/${id}`,
      replyBytesMax: TRANSCRIPT_BYTES_MAX,
      timeoutMs: options.timeoutMs ?? this.timeoutMs,
      idempotent: true,
      ...signalOf(options),
    })
  }
}
