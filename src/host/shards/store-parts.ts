/** What a store is given, and what it is asked. */
import type { Log } from '../../base/log.js'
import type { SecretBytes } from '../../crypto/secret.js'
import type { HostId, Serial, ShardId } from '../../model/ids.js'
import type { ShardKey } from '../ledger/types.js'
import type { Keeper } from './reclaim.js'

export interface StoreParts {
  /** Holds the volume files. */
  volumesDir: string
  indexFile: string
  host: HostId
  seed: SecretBytes
  kept: Keeper
  log: Log
  /** Bridge time: tokens end by it. */
  nowMs: () => number
  /** This machine's own: how old a shard is, whatever time a bridge says it is. */
  ownMs: () => number
}

export interface StoreOptions {
  /** Bytes of volume files, all told. */
  capacityBytes: number
  /** Left free on the disk for the index and for deletes; a put that would go below is `no-space`. */
  diskFloorBytes?: number
  volumeBytesMax?: number
  /** No shard is removed before this age. */
  youngMs?: number
}

export interface PutOrder extends ShardKey {
  shard: ShardId
  generation: number
  serial: Serial
  /** End of the token, tolerance included: the serial is remembered until then. */
  serialExpiresMs: number
}
