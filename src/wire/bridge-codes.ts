/**
 * The codes of failures that a bridge may answer with. Both ends know this list alone: what the bridge has besides crosses as
 * `internal`, without its text; what a client is told besides arrives as `bridge-refused`, so that no bridge can speak with the
 * voice of this machine's own rooms.
 */
export const BRIDGE_CODES = [
  'malformed',
  'unsupported-version',
  'too-many-shards',
  'bad-scheme',
  'wrong-signer',
  'receipt-malformed',
  'receipt-mismatch',
  'receipt-signature',
  'chain-signature',
  'chain-broken',
  'unsupported-feature',
  'request-unsigned',
  'request-signature',
  'clock-skew',
  'replayed',
  'unknown-key',
  'not-yours',
  'device-revoked',
  'unknown-call',
  'unknown-account',
  'unknown-drive',
  'unknown-host',
  'unknown-segment',
  'unknown-transcript',
  'mark-malformed',
  'mark-signature',
  'other-incarnation',
  'head-moved',
  'writer-fenced',
  'key-term-stale',
  'drive-exists',
  'account-conflict',
  'segment-conflict',
  'not-committed',
  'too-large',
  'record-too-large',
  'rate-limited',
  'too-many-unconfirmed',
  'too-many-drives',
  'too-many-hosts',
  'internal',
  'no-space',
  'database-damaged',
  'database-unwritable',
  'disk-failing',
  'busy',
  'database-busy',
  'not-enough-hosts',
  'hosts-full',
  'stopped',
] as const

export type BridgeCode = (typeof BRIDGE_CODES)[number]

const KNOWN: ReadonlySet<string> = new Set(BRIDGE_CODES)

export function isBridgeCode(code: string): code is BridgeCode {
  return KNOWN.has(code)
}
