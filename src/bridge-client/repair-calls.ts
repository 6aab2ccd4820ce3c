/** What repair workers and the operator ask of a bridge (docs/protocol.md section 1). */
import * as repairApi from '../wire/repair-api.js'
import type { CallOptions } from './bridge-calls.js'
import type { BridgeClient } from './bridge-client.js'

/** Sent once: a lost answer would leave a segment leased to nobody. */
export function leaseRepair(
  client: BridgeClient,
  request: repairApi.LeaseRequest = {},
  options: CallOptions = {},
): Promise<repairApi.LeaseReply> {
  return client.post('/v1/repairs/lease', request, repairApi.LeaseReply, options, false)
}

export function reportRepair(
  client: BridgeClient,
  report: repairApi.DoneRequest,
  options: CallOptions = {},
): Promise<repairApi.DoneReply> {
  return client.post('/v1/repairs/done', report, repairApi.DoneReply, options)
}

/** By the bridge's own key. */
export function bridgeStatus(client: BridgeClient, options: CallOptions = {}): Promise<repairApi.BridgeStatus> {
  return client.get('/v1/status', repairApi.BridgeStatus, options)
}
