import { sha256 } from '../crypto/hash.js'
import { type DriveId, type HostId, idBytes, type Pseudonym, pseudonymId } from '../model/ids.js'

/** What a host knows a drive by: two hosts cannot tell that they serve the same drive. */
export function pseudonymOf(drive: DriveId, host: HostId): Pseudonym {
  return pseudonymId(sha256('shardrive/v1/pseudonym', idBytes(drive), idBytes(host)).subarray(0, 16))
}
