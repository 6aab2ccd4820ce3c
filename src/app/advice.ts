/**
 * What a person can do about a failure, by its code: for failures that carry no hint of their own. Those that only another
 * program can cause say so, so that nobody looks for the fault on this machine. docs/errors.md shows these lines too.
 */

const protocolFault = 'one side does not keep to the protocol: update shardrive on both, and report it if it stays'
const newGrant = 'nothing to do: the drive asks the bridge for a new permission and goes on'
const nothingToDo = 'nothing to do: it is tried again, or elsewhere, by itself'
const inProgram = 'the program that used the drive asked for something that a file system refuses: see its own message'
const keepState = 'keep the state directory as it is and stop writing; shardrive status and the log say more'
const heal = 'shardrive unmount, then shardrive mount: the start heals the drive from the network'
const rebuild =
  'shardrive unmount, then shardrive fsck --rebuild: the next mount builds the drive again from the network'
const anew = 'keep this state directory, and bring the drive into a new one: shardrive recover --state DIRECTORY'
const hostDisk = 'the host that said so must look at its disk; its shards are read and rebuilt from the others'
const reportIt = 'this should not happen: please report it with the log of the daemon'

const codesByAdvice: readonly (readonly [string, readonly string[]])[] = [
  [
    newGrant,
    [
      'token-action',
      'token-budget-spent',
      'token-expired',
      'token-not-yet',
      'token-old-incarnation',
      'token-other-bridge',
      'token-other-holder',
      'token-other-host',
      'token-signature',
      'token-used',
      'token-wrong-shard',
    ],
  ],
  [
    nothingToDo,
    [
      'cancelled',
      'head-moved',
      'host-full',
      'host-lies',
      'host-read-only',
      'key-term-stale',
      'not-committed',
      'not-the-bridge',
      'offline',
      'out-of-hours',
      'old-generation',
      'other-incarnation',
      'peer-error',
      'peer-lost',
      'peer-unreachable',
      'placement-unknown',
      'shard-not-found',
      'shard-too-young',
      'shard-truncated',
      'shard-wrong-bytes',
      'stale',
      'stopped',
      'too-many-unconfirmed',
      'traffic-cap',
      'witness-older',
    ],
  ],
  [
    protocolFault,
    [
      'audit-malformed',
      'audit-mismatch',
      'audit-signature',
      'mark-malformed',
      'mark-signature',
      'payload-too-large',
      'receipt-malformed',
      'receipt-mismatch',
      'receipt-signature',
      'record-too-large',
      'request-signature',
      'request-unsigned',
      'segment-conflict',
      'segment-inconsistent',
      'shard-mismatch',
      'token-malformed',
      'too-large',
      'too-many-shards',
      'unknown-call',
      'unknown-method',
      'witness-malformed',
      'witness-mismatch',
      'witness-signature',
      'wrong-signer',
      'not-yours',
    ],
  ],
  [
    inProgram,
    [
      'bad-handle',
      'exists',
      'file-too-large',
      'invalid-argument',
      'is-a-directory',
      'name-too-long',
      'no-data',
      'no-such-position',
      'not-a-directory',
      'not-permitted',
      'not-supported',
      'range',
      'too-big',
      'too-many-links',
      'too-many-open',
    ],
  ],
  [keepState, ['chain-broken', 'chain-signature', 'drive-forked', 'drive-rolled-back', 'snapshot-mismatch']],
  [rebuild, ['chain-mismatch', 'epoch-out-of-order', 'no-such-epoch', 'local-changes', 'not-empty']],
  [anew, ['database-foreign']],
  [heal, ['database-damaged']],
  [hostDisk, ['shard-damaged', 'disk-away', 'disk-failing', 'disk-slow']],
  [reportIt, ['internal', 'io-error', 'ledger-stopped', 'daemon-stopped', 'mount-failed']],
  ['this phrase was used with other keys: update shardrive, or make a new account', ['account-conflict']],
  ['write it like 4/8: 4 of 8 shards are enough', ['bad-scheme']],
  ['another shardrive uses this folder: stop it first', ['database-busy', 'folder-locked', 'host-already-running']],
  ['check the owner and the permissions of the folder, and that its disk is not read-only', ['database-unwritable']],
  [
    'a person with the phrase can add this machine again: shardrive recover --state DIRECTORY',
    ['device-revoked', 'unknown-device'],
  ],
  ['choose a name of 1 to 120 characters, at most 200 bytes', ['drive-name']],
  [
    'somebody may stand between you and that host; it is not used. Tell the operator of the bridge',
    ['fingerprint-mismatch'],
  ],
  ['start it again when you are ready: nothing was lost', ['interrupted']],
  ['these bytes are not what they should be: bring the file back from a backup, or update shardrive', ['malformed']],
  ['name a folder: mkdir makes one', ['mountpoint-not-a-directory']],
  ['look at the path: a typing error, or a file that has gone', ['not-found']],
  ['ls shows what is there; shardrive status says which drives are mounted', ['not-mounted', 'not-on-drive']],
  ['close some programs: the key file asks for some memory, on purpose', ['out-of-memory']],
  ['give it with --passphrase-file, in SHARDRIVE_PASSPHRASE, or type it when asked', ['passphrase-needed']],
  ['try again; without the passphrase, shardrive recover makes a new device from the 24 words', ['wrong-passphrase']],
  ['shardrive status says why it is read-only', ['read-only']],
  [
    'the key does not fit the data: is this the right state directory, the right phrase?',
    ['seal-broken', 'wrap-broken'],
  ],
  ['name a file with one line in it that you may read (chmod 600)', ['secret-unreadable']],
  ['use the drives that you have, or ask the operator of the bridge', ['too-many-drives', 'too-many-hosts']],
  ['register it first: shardrive host run does that at its start', ['unknown-host']],
  ['close the programs that have files of the drive open (lsof shows them), then try again', ['unmount-failed']],
  ['its log says more', ['child-failed']],
  ['it is at work for others: try again in a moment', ['busy']],
  ['free some disk space, then try again', ['no-space']],
  ['as root: apt-get install fuse3, and modprobe fuse', ['fuse-missing']],
  ['mount on an empty directory that you own and may write to', ['mount-denied', 'mountpoint-missing']],
  ['hosts of this data are away; it goes on when enough of them are back', ['shards-unreachable']],
  [
    'correct the owner and the permissions of the folder, or name another one',
    ['state-unreadable', 'state-unwritable'],
  ],
  ['it takes longer than it should: shardrive doctor and shardrive status say what is missing', ['timed-out']],
  [
    'check that this is the right bridge, the right phrase, the right name',
    ['drive-exists', 'unknown-drive', 'unknown-key'],
  ],
  [
    'another machine writes to this drive now: unmount it here, and mount it with --takeover to write from here',
    ['writer-fenced'],
  ],
  ['use the newer shardrive that wrote it', ['unsupported-version']],
  ['shardrive COMMAND --help shows how it is used', ['usage']],
]

const adviceOfCode: ReadonlyMap<string, string> = new Map(
  codesByAdvice.flatMap(([advice, codes]) => codes.map((code): [string, string] => [code, advice])),
)

/** What happened, for codes whose own words are put together at run time. */
export const meanings: Readonly<Record<string, string>> = {
  'wrong-phrase': 'the words are not a phrase: a wrong count, a word that is not in the list, or a wrong order',
  'mark-malformed': 'the bytes of a mark of the bridge are not a mark',
  'receipt-malformed': 'the bytes of a receipt are not a receipt',
  'audit-malformed': 'the bytes of a challenge, an answer or a transcript are none',
  'witness-malformed': 'the bytes of a head witness are not a head witness',
  'disk-slow': 'the disk of the host takes seconds to write a few bytes',
  'shard-mismatch': 'the shard has another length, segment or place than the token says',
}

export function adviceFor(code: string): string | undefined {
  return adviceOfCode.get(code)
}

/** For the test that holds this table free of codes that nobody throws. */
export function advisedCodes(): string[] {
  return [...adviceOfCode.keys()]
}

/** Reasons for being read-only that nobody chose end with the code of what happened. */
const REASON_CODE = /[([]([a-z][a-z-]+)[)\]]$/

export function codeOfReason(reason: string): string | undefined {
  return REASON_CODE.exec(reason)?.[1]
}

export function adviceForReason(reason: string): string | undefined {
  const code = codeOfReason(reason)
  return code === undefined ? undefined : adviceFor(code)
}
