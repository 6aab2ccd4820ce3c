/**
 * What the portable door does not keep, by the section of docs/semantics.md that says so ("The portable door"). Each case that is
 * named deviates for the user it is named for; what is in nobody's list holds.
 */
import { KINDS } from './kinds.js'
import { type Deviation, ORDINARY } from './suite.js'

const NO_EXCHANGE = 'S-13: RENAME_NOREPLACE and RENAME_EXCHANGE are refused'
const NO_FALLOCATE = 'S-7: fallocate is refused'
const NO_TMPFILE = 'S-3: no O_TMPFILE'
const ONE_TIME = 'S-4: setting one of the two times changes nothing'
const REMOVED = 'S-23: what is removed while it is open, and is no file, cannot be looked at'
const MAKER = "S-5: what is made belongs to its directory's owner and group, without setuid and setgid"

/** Mode and owner of a folder, and whose thing is in it. */
const sticky = (...rows: readonly string[]): string[] => rows.map((row) => `${row} in it`)

const FOR_ALL: readonly Deviation[] = [
  { clause: 'S-31', why: 'S-31: libfuse 2 knows no birth times' },
  {
    clause: 'S-35',
    cases: ['a copy keeps holes, and both go their own way'],
    why: 'S-35: copies are read and written, holes become zeros',
  },
  {
    clause: 'S-3',
    cases: ['O_TMPFILE: no name, until a link gives it one'],
    why: NO_TMPFILE,
  },
  {
    clause: 'S-3',
    cases: ['a file without a name: everything but a new name goes on'],
    why: `S-3: its directory stays until it is closed (EBUSY); ${NO_FALLOCATE}; S-4: milliseconds`,
  },
  {
    clause: 'S-4',
    cases: [
      ...KINDS.map((kind) => `times of a ${kind} are kept to the nanosecond, long before 1970 and after 2106`),
      'times beyond what is kept become the nearest',
    ],
    why: 'S-4: milliseconds, from 1970 on',
  },
  {
    clause: 'S-4',
    cases: ['one of the two times, by path, by descriptor, and of links themselves'],
    why: `${ONE_TIME}; milliseconds`,
  },
  {
    clause: 'S-6',
    cases: ['user.* on a file', 'user.* on a directory', 'by descriptor, by every name, and after the last name'],
    why: 'S-2: names of attributes must be UTF-8',
  },
  {
    clause: 'S-7',
    cases: ['a file is data and holes, as it was written'],
    why: 'S-7: holes are kept but not found',
  },
  {
    clause: 'S-7',
    cases: [
      'fallocate: plain, keeping the size, punching, zeroing',
      'reserving more than the network has is refused at once',
    ],
    why: NO_FALLOCATE,
  },
  {
    clause: 'S-9',
    cases: [
      ...['fallocate', 'punching a hole', 'zeroing'].map(
        (change) => `${change} takes setuid and setgid from a program, unless root does it`,
      ),
      'a capability goes with the first change of bytes or owner',
    ],
    why: NO_FALLOCATE,
  },
  {
    clause: 'S-9',
    cases: ['a setgid folder hands down its group, and its bit to folders'],
    why: `${MAKER}; ${NO_TMPFILE}`,
  },
  { clause: 'S-9', cases: ['a folder without the bit gives its group to nobody'], why: MAKER },
  {
    clause: 'S-12',
    cases: ['one file by many names: bytes, mode, owner and times are the same by each'],
    why: 'S-4: milliseconds',
  },
  { clause: 'S-12', cases: ['the number of links of a folder is 2 and its subfolders'], why: NO_EXCHANGE },
  {
    clause: 'S-13',
    cases: [
      ...KINDS.map((kind) => `a ${kind} goes in place of every kind that POSIX lets it`),
      'names that are exchanged again and again are both always there',
    ],
    why: NO_EXCHANGE,
  },
  { clause: 'S-13', cases: ['an open folder that is replaced is an empty one without a name'], why: REMOVED },
  {
    clause: 'S-13',
    cases: ['a name that is replaced again and again is never missing'],
    why: 'S-13: who opens a name just while it is replaced may be told that it does not exist',
    sometimes: true,
  },
  { clause: 'S-14', cases: ['a file may have 4 PiB and not a byte more'], why: NO_FALLOCATE },
  { clause: 'S-16', cases: ['statfs is sane, and the same from everywhere'], why: 'S-16: 2^32 - 1 inodes at most' },
  {
    clause: 'S-17',
    cases: ['while a drive takes no changes, each is refused (EROFS) and reading goes on'],
    why: 'S-17: what this door does not have is refused with its own code; chown to -1 and -1 has success',
  },
  {
    clause: 'S-23',
    cases: ['a folder that somebody stands in goes, and nothing can be made in it then'],
    why: REMOVED,
  },
  {
    clause: 'S-24',
    cases: sticky(
      ...['777: my folder, mine', "777: my folder, another's", "777: another's folder, mine"],
      ...["777: another's folder, another's", '1777: my folder, mine', "1777: my folder, another's"],
    ),
    why: `${NO_EXCHANGE}; ${MAKER}`,
  },
  {
    clause: 'S-25',
    cases: ['owner', 'group', 'other'].map((to) => `a folder, to its ${to}: each of the eight`),
    why: `S-3: the directory of an open file that was removed stays (EBUSY); ${NO_TMPFILE}`,
  },
  { clause: 'S-26', cases: ['unlink d/l', 'rmdir d/e'].map((call) => `${call}: moves what it changes`), why: REMOVED },
  { clause: 'S-26', cases: ['rename2 d/f z/f EXCHANGE: moves what it changes'], why: NO_EXCHANGE },
  {
    clause: 'S-26',
    cases: ['omit now', 'now omit'].map((times) => `utimens d/f ${times}: moves what it changes`),
    why: ONE_TIME,
  },
  { clause: 'S-26', cases: ['open d RDWR|TMPFILE 384: moves what it changes'], why: NO_TMPFILE },
  {
    clause: 'S-26',
    cases: ['what is done with a descriptor moves the times of its file'],
    why: `${NO_FALLOCATE}; ${ONE_TIME}`,
  },
  {
    clause: 'S-28',
    cases: [
      'what a process may write at most is kept: short, then EFBIG',
      'offsets of 63 bits are beyond every file, not nonsense',
    ],
    why: NO_FALLOCATE,
  },
  {
    clause: 'S-29',
    cases: ['flock of folders, by any name of a file, and after it has none'],
    why: 'S-12: two names of a file are two files to the kernel, and so to locks',
  },
  {
    clause: 'S-32',
    cases: ['telldir and seekdir: every place can be returned to, also after its entry has gone'],
    why: 'S-10: a listing shows what was there when it began, until it begins anew',
  },
  { clause: 'S-34', cases: ['one of two removes or moves the name'], why: NO_EXCHANGE },
]

const FOR_ROOT: readonly Deviation[] = [
  {
    clause: 'S-24',
    cases: sticky("1777: another's folder, another's", "1777: another's folder, mine"),
    why: NO_EXCHANGE,
  },
]

const FOR_OTHERS: readonly Deviation[] = [
  { clause: 'S-24', cases: sticky("1777: another's folder, mine"), why: `${MAKER}, who alone removes it` },
  {
    clause: 'S-6',
    cases: ['trusted.* is for root alone, on everything'],
    why: 'S-5: trusted.* attributes are listed to all users',
  },
]

export function portableDeviations(uid: number): readonly Deviation[] {
  return [...FOR_ALL, ...(uid === ORDINARY ? FOR_OTHERS : FOR_ROOT)]
}
