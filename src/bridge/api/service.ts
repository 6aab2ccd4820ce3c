/**
 * What the bridge can be asked, call by call (docs/protocol.md section 1), after signatures and schemas were checked
 * and before a reply is signed. Routes call it; service-parts.ts puts the rooms behind it. Every method may fail with
 * the codes of status.ts.
 */
import type { DriveId, HostId, PeerId } from '../../model/ids.js'
import type * as api from '../../wire/api.js'
import type * as hostApi from '../../wire/host-api.js'
import type * as repairApi from '../../wire/repair-api.js'

/** Who asks: the key that signed, and where the request came from. */
export interface Caller {
  key: PeerId
  address: string
}

export interface BridgeService {
  info(): Promise<api.BridgeInfo>
  /** For the operator alone: how far it is with what it lost. */
  reconcile(caller: Caller, request: api.ReconcileRequest): Promise<api.ReconcileReply>
  createAccount(caller: Caller, request: api.AccountRequest): Promise<api.AccountReply>
  createDrive(caller: Caller, record: Buffer, label: Buffer): Promise<api.DriveReply>
  listDrives(caller: Caller): Promise<api.DriveList>
  listDevices(caller: Caller, drive: DriveId): Promise<api.DeviceList>
  head(caller: Caller, drive: DriveId): Promise<api.WriterHead>
  /** Whole records from a sequence number on, at most 8 MiB of them. */
  readChain(caller: Caller, drive: DriveId, from: number): Promise<Buffer[]>
  appendRecord(caller: Caller, drive: DriveId, record: Buffer): Promise<api.HeadReply>
  /** Records that this bridge lost: of its head on, or of a drive that it does not know. The label is for the latter. */
  restoreChain(caller: Caller, drive: DriveId, records: Buffer[], label: Buffer): Promise<api.HeadReply>
  restate(caller: Caller, drive: DriveId, request: api.RestateRequest): Promise<api.RestateReply>
  heartbeat(caller: Caller, drive: DriveId, request: api.HeartbeatRequest): Promise<api.Done>
  place(caller: Caller, drive: DriveId, request: api.PlaceRequest): Promise<api.PlaceReply>
  commit(caller: Caller, drive: DriveId, request: api.CommitRequest): Promise<api.CommitReply>
  locate(caller: Caller, drive: DriveId, request: api.LocateRequest): Promise<api.LocateReply>
  tokens(caller: Caller, drive: DriveId, request: api.TokensRequest): Promise<api.TokensReply>
  health(caller: Caller, drive: DriveId): Promise<api.HealthReply>
  evidence(caller: Caller, drive: DriveId, request: api.EvidenceRequest): Promise<api.Done>
  space(caller: Caller): Promise<api.SpaceReply>
  registerHost(caller: Caller, request: hostApi.HostRequest): Promise<hostApi.HostReply>
  leaseRepair(caller: Caller, request: repairApi.LeaseRequest): Promise<repairApi.LeaseReply>
  repairDone(caller: Caller, request: repairApi.DoneRequest): Promise<repairApi.DoneReply>
  status(caller: Caller): Promise<repairApi.BridgeStatus>
  reportHost(caller: Caller, host: HostId, request: hostApi.HostReport): Promise<hostApi.ReportReply>
  standing(caller: Caller, host: HostId): Promise<hostApi.HostStanding>
  exit(caller: Caller, host: HostId, request: hostApi.ExitRequest): Promise<hostApi.HostStanding>
  losses(caller: Caller, host: HostId, request: hostApi.LossesRequest): Promise<api.Done>
  knockHost(caller: Caller, host: HostId, request: hostApi.KnockRequest): Promise<hostApi.KnockReply>
  dialHost(caller: Caller, host: HostId): Promise<hostApi.DialReply>
  /** docs/format.md section 12. */
  transcript(caller: Caller, host: HostId, id: number): Promise<Buffer>
}
