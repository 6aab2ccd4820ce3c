/**
 * What the exit code of every command means. Scripts and service units rely on these numbers: they never change
 * meaning. One table maps the code of an expected failure to its exit code; a test holds it complete.
 */
import { AppError } from '../base/errors.js'

export const exitCodes = {
  ok: 0,
  /** A bug: something that nobody foresaw. The stack is printed. */
  bug: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** Bridge or hosts cannot be reached; trying later may help. */
  unreachable: 3,
  /** Wrong phrase or passphrase, a token or signature that is not accepted, a plan that is used up. */
  refused: 4,
  /** This machine: fuse missing, mountpoint unfit, folder unwritable, disk full. */
  environment: 5,
  /** What was named does not exist. */
  notFound: 6,
  /** Bytes, a database or a chain that are damaged, forked or rolled back. */
  damaged: 7,
  /** Somebody else holds it, or it took too long. */
  busy: 8,
  /** This host runs in another place: a service manager must not start it again. */
  moved: 9,
  /** Stopped by Ctrl-C before it was done. */
  interrupted: 130,
  /** Stopped by SIGTERM before it was done. */
  terminated: 143,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
export type Meaning = keyof typeof exitCodes

/**
 * What a service manager does after each: `ended` is an end that was asked for; `again` may pass by itself, so it is started
 * again, more and more slowly; `person` fails the same way each time until somebody has looked, and damaged data are not to be
 * opened again and again. The units in systemd/ repeat this, and a test compares them.
 */
export const afterExit: Readonly<Record<Meaning, 'ended' | 'again' | 'person'>> = {
  ok: 'ended',
  bug: 'again',
  usage: 'person',
  unreachable: 'again',
  refused: 'person',
  environment: 'again',
  notFound: 'person',
  damaged: 'person',
  busy: 'again',
  moved: 'person',
  interrupted: 'ended',
  terminated: 'ended',
}

const codesByMeaning: Partial<Record<Meaning, readonly string[]>> = {
  bug: ['bug', 'internal'],
  usage: [
    'bad-handle',
    'bad-listen',
    'bad-scheme',
    'bridge-insecure',
    'bridge-url',
    'drive-name',
    'file-too-large',
    'invalid-argument',
    'is-a-directory',
    'name-too-long',
    'no-such-position',
    'not-a-directory',
    'not-permitted',
    'not-supported',
    'payload-too-large',
    'phrase-needed',
    'policy-public',
    'record-too-large',
    'too-large',
    'usage',
  ],
  unreachable: [
    'bridge-unreachable',
    'host-full',
    'host-read-only',
    'hosts-full',
    'not-a-bridge',
    'not-committed',
    'not-enough-hosts',
    'offline',
    'out-of-hours',
    'peer-error',
    'peer-lost',
    'peer-unreachable',
    'placement-unknown',
    'shards-unreachable',
    'traffic-cap',
  ],
  refused: [
    'account-conflict',
    'audit-malformed',
    'audit-mismatch',
    'audit-signature',
    'books-exist',
    'books-newer',
    'bridge-refused',
    'bridge-signature',
    'chain-signature',
    'device-revoked',
    'drive-exists',
    'exists',
    'fingerprint-mismatch',
    'host-exists',
    'local-changes',
    'mark-malformed',
    'mark-signature',
    'not-empty',
    'not-the-bridge',
    'not-yours',
    'only-local',
    'passphrase-needed',
    'pinned',
    'range',
    'read-only',
    'receipt-malformed',
    'receipt-mismatch',
    'receipt-signature',
    'replayed',
    'service-foreign',
    'request-signature',
    'request-unsigned',
    'token-action',
    'token-budget-spent',
    'token-expired',
    'token-malformed',
    'token-not-yet',
    'token-old-incarnation',
    'token-other-bridge',
    'token-other-holder',
    'token-other-host',
    'token-signature',
    'token-used',
    'token-wrong-shard',
    'too-big',
    'too-many-drives',
    'too-many-hosts',
    'too-many-links',
    'too-many-shards',
    'too-many-unconfirmed',
    'unknown-device',
    'unknown-key-term',
    'unpinned',
    'witness-malformed',
    'witness-mismatch',
    'witness-signature',
    'wrong-passphrase',
    'wrong-phrase',
    'wrong-signer',
  ],
  environment: [
    'addon-broken',
    'addon-mismatch',
    'addon-missing',
    'bridge-key-broken',
    'bridge-key-open',
    'child-failed',
    'clock-skew',
    'database-too-new',
    'database-too-old',
    'database-unwritable',
    'disk-away',
    'disk-failing',
    'disk-slow',
    'fuse-missing',
    'host-folder-wrong',
    'io-error',
    'kernel-too-old',
    'libfuse-missing',
    'listen-failed',
    'mount-denied',
    'mount-failed',
    'mountpoint-missing',
    'mountpoint-not-a-directory',
    'mountpoint-not-empty',
    'no-space',
    'out-of-memory',
    'output-unwritable',
    'phrase-file',
    'secret-unreadable',
    'service-denied',
    'service-manager-failed',
    'service-program',
    'state-unreadable',
    'state-unwritable',
    'too-many-open',
    'unmount-failed',
    'unsupported-feature',
    'unsupported-version',
  ],
  notFound: [
    'daemon-not-running',
    'no-books',
    'no-bridge',
    'no-data',
    'no-drive',
    'no-service',
    'not-found',
    'not-mounted',
    'not-on-drive',
    'records-gone',
    'shard-not-found',
    'unknown-account',
    'unknown-call',
    'unknown-drive',
    'unknown-host',
    'unknown-key',
    'unknown-method',
    'unknown-segment',
    'unknown-transcript',
  ],
  damaged: [
    'state-damaged',
    'chain-broken',
    'chain-mismatch',
    'database-damaged',
    'database-foreign',
    'drive-forked',
    'drive-rolled-back',
    'epoch-out-of-order',
    'host-lies',
    'malformed',
    'no-such-epoch',
    'old-generation',
    'placement-wrong',
    'seal-broken',
    'segment-conflict',
    'segment-inconsistent',
    'shard-damaged',
    'shard-mismatch',
    'shard-truncated',
    'shard-wrong-bytes',
    'snapshot-mismatch',
    'witness-older',
    'wrap-broken',
  ],
  interrupted: ['interrupted'],
  moved: ['host-moved'],
  busy: [
    'busy',
    'cancelled',
    'daemon-silent',
    'daemon-stopped',
    'database-busy',
    'drive-busy',
    'folder-locked',
    'head-moved',
    'host-already-running',
    'key-term-stale',
    'ledger-stopped',
    'mountpoint-busy',
    'other-incarnation',
    'rate-limited',
    'replaced',
    'shard-too-young',
    'stale',
    'stopped',
    'timed-out',
    'writer-fenced',
  ],
}

const exitCodeOfCode: ReadonlyMap<string, ExitCode> = new Map(
  Object.entries(codesByMeaning).flatMap(([meaning, codes]) =>
    codes.map((code): [string, ExitCode] => [code, exitCodes[meaning as Meaning]]),
  ),
)

/** Which exit code a failure with this code ends in, or undefined when nobody decided that yet. */
export function exitCodeForCode(code: string): ExitCode | undefined {
  return exitCodeOfCode.get(code)
}

/** Anything but an expected failure is a bug. */
export function exitCodeFor(error: unknown): ExitCode {
  if (!(error instanceof AppError)) return exitCodes.bug
  return exitCodeForCode(error.code) ?? exitCodes.bug
}

/** For the test that holds this table free of codes that nobody throws. */
export function decidedCodes(): string[] {
  return [...exitCodeOfCode.keys()]
}
