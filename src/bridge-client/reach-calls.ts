/** What a host's operator asks of the bridge about how the host is reached (docs/protocol.md section 1). Sent once: they are paced. */
import type { HostId } from '../model/ids.js'
import * as hostApi from '../wire/host-api.js'
import type { CallOptions } from './bridge-calls.js'
import type { BridgeClient } from './bridge-client.js'

/** A datagram from a port that this machine has sent nothing to. */
export function askKnock(
  client: BridgeClient,
  host: HostId,
  request: hostApi.KnockRequest,
  options: CallOptions = {},
): Promise<hostApi.KnockReply> {
  return client.post(`/v1/hosts/${host}/knock`, request, hostApi.KnockReply, options, false)
}

/** The bridge's own peer connects to this host. */
export function askDial(client: BridgeClient, host: HostId, options: CallOptions = {}): Promise<hostApi.DialReply> {
  return client.post(`/v1/hosts/${host}/dial`, {}, hostApi.DialReply, options, false)
}
