import type { HostId } from '../model/ids.js'
import type { PathCounts } from '../rtc/transport.js'
import type { DiskHealth } from './disk/disk-watch.js'
import type { Totals } from './ledger/types.js'
import type { Traffic } from './terms/month-meter.js'
import type { TermsSettings } from './terms/terms.js'

export interface HostStatus extends Totals {
  host: HostId
  registered: boolean
  readOnly: boolean
  capacityBytes: number
  freeBytes: number
  disk: DiskHealth
  /** Why no shard is taken now, the hour aside; a code of docs/errors.md and a sentence. */
  refuses: { code: string; why: string } | null
  terms: TermsSettings
  /** Within its hours. */
  isOpen: boolean
  /** Open connections by how their packets travel; null on a transport without a network. */
  connections: PathCounts | null
  /** Of this calendar month. */
  traffic: Traffic
}

/** What tells whether a host is alive and well, without a look at every shard. */
export interface HostLife {
  registered: boolean
  readOnly: boolean
  capacityBytes: number
  shards: number
  liveBytes: number
  freeBytes: number
}
