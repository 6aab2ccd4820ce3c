import type { HostId, Serial } from '../model/ids.js'
import type { HostReport, HostRequest, LossesRequest, ReportReply } from '../wire/host-api.js'

/** The bridge, as a host needs it. */
export interface BridgeSession {
  /** Bridge time; this machine's own until it is learnt. */
  nowMs(): number
  register(request: HostRequest, options: { signal: AbortSignal }): Promise<{ incarnation: number; mark?: string }>
  report(host: HostId, report: HostReport, options: { signal: AbortSignal }): Promise<ReportReply>
  /** The line to the bridge came, or was refused because the bridge does not know this host. The value ends it. */
  onLine?(listener: () => void): () => void
  /** What the host itself found damaged or gone. */
  reportLosses?(host: HostId, losses: LossesRequest['losses'], options: { signal: AbortSignal }): Promise<unknown>
  /** Delete tokens from the bridge's socket, unverified. The value ends it. */
  onDelete(listener: (token: Buffer) => void): () => void
  /** Answers one; what cannot be sent is asked for again by the bridge. */
  sendDeleted(answer: { serial: Serial; ok: boolean; code?: string }): unknown
}
