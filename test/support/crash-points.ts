/** Where crash tests kill a drive: names of failpoints (docs/durability.md), what reaches them, and how often. */
import { PROGRAM_WORKLOADS } from './crash-programs.js'

export interface Point {
  /** '': at no failpoint, at any moment. */
  name: string
  /** Any of them reaches it. */
  workloads: readonly string[]
  /** The kill comes at one of the first so many passes. */
  countMax: number
  /** `upgrade`: at a start, from the ledger of an earlier version. `idle`: some seconds after the work. */
  when: 'start' | 'upgrade' | 'work' | 'idle' | 'stop'
}

const STEPS = ['small', 'editors', 'moves', 'large', 'appends', 'links', 'copies']
const ALL = [...STEPS, ...PROGRAM_WORKLOADS]

function point(name: string, workloads: readonly string[], countMax: number, when: Point['when'] = 'work'): Point {
  return { name, workloads, countMax, when }
}

export const ANY_MOMENT = point('', ALL, 1)

/** Between a write and this disk: a drive without a network has them all. */
export const LOCAL_POINTS: readonly Point[] = [
  point('mount.stage.taken', STEPS, 12),
  point('mount.stage.handed', STEPS, 20),
  point('mount.call.make', ['small', 'editors', 'moves', 'git'], 12),
  point('mount.call.write', STEPS, 15),
  point('mount.call.unlink', ['small', 'moves'], 5),
  point('mount.call.rename', ['editors', 'moves', 'git'], 8),
  point('mount.call.link', ['links'], 5),
  point('mount.call.setAttributes', ['links'], 8),
  point('mount.call.setXattr', ['links'], 2),
  point('mount.call.copyRange', ['copies'], 5),
  point('mount.call.removeXattr', ['links'], 2),
  point('mount.call.reap', ['small', 'editors', 'moves'], 5),
  point('mount.staged.written', STEPS, 12),
  point('mount.log.written', STEPS, 4),
  point('mount.commit.begun', ALL, 3),
  point('mount.commit.written', ALL, 3),
  point('mount.commit.done', ALL, 2),
  point('mount.sync.begun', STEPS, 3),
  point('sqlite.flush.begun', ALL, 2),
  point('mount.sync.done', STEPS, 3),
  point('mount.checkpoint.begun', ['large'], 1),
  point('mount.checkpoint.done', ['large'], 1),
  point('mount.checkpointer.begun', ['large'], 1),
  point('mount.checkpointer.done', ['large'], 1),
  point('mount.vacuum.done', ['flood'], 1),
  point('sqlite.migrate.copied', ['small'], 1, 'upgrade'),
  point('sqlite.migrate.written', ['small'], 1, 'upgrade'),
  point('sqlite.migrate.done', ['small'], 1, 'upgrade'),
  point('sqlite.open.made', ['small'], 1, 'start'),
  point('sqlite.open.prepared', ['small'], 1, 'start'),
  point('mount.call.reapOrphans', ['editors'], 1, 'start'),
  point('mount.start.reaped', ['editors'], 1, 'start'),
  point('mount.close.moved', STEPS, 1, 'stop'),
]

/** Of the portable door: a file that is open is hidden before another takes its name. */
export const PORTABLE_POINTS: readonly Point[] = [
  point('mount.hidden.owed', ['editors'], 3),
  point('', ['editors'], 1),
  point('mount.hidden.owed', ['editors'], 6),
  point('mount.call.rename', ['editors'], 6),
]

/** What publishes is small: the failpoints are the same, whatever is published. */
const PUBLISHED = ['small', 'editors', 'moves', 'appends']

/** Steps of the very first start: the state directory, its database and the two steps of its schema. */
export const FIRST_POINTS: readonly Point[] = [
  point('base.folder.made', ['small'], 1, 'start'),
  point('sqlite.open.made', ['small'], 1, 'start'),
  point('sqlite.open.prepared', ['small'], 1, 'start'),
  point('sqlite.migrate.written', ['small'], 1, 'start'),
  point('sqlite.migrate.done', ['small'], 1, 'start'),
  point('sqlite.migrate.written', ['small'], 1, 'start'),
]

/** The cache's file is larger than it may be from now on. */
export const CACHE_SHRUNK = 'mount.cache.shrunk'

/** Between this disk and the chain: a drive on a network has them. */
export const NET_POINTS: readonly Point[] = [
  point('mount.cut.begun', PUBLISHED, 2),
  point('mount.call.cut', PUBLISHED, 2),
  point('mount.seal.done', PUBLISHED, 2),
  point('mount.seal.noted', PUBLISHED, 2),
  point('mount.push.placed', PUBLISHED, 2),
  point('mount.push.receipt', PUBLISHED, 6),
  point('mount.push.told', PUBLISHED, 2),
  point('mount.push.stored', PUBLISHED, 2),
  point('mount.publish.begun', PUBLISHED, 2),
  point('mount.publish.stored', PUBLISHED, 2),
  point('mount.alone.done', PUBLISHED, 6),
  point('mount.publish.prepared', PUBLISHED, 2),
  point('mount.publish.recorded', PUBLISHED, 2),
  point('mount.call.recordPendingSegments', PUBLISHED, 2),
  point('mount.call.materialise', PUBLISHED, 2),
  point('mount.call.saveRecord', PUBLISHED, 2),
  point('mount.call.published', PUBLISHED, 2),
  point('mount.call.saveRecords', PUBLISHED, 2),
  point('mount.call.recordSnapshot', ['small'], 1),
  point('mount.chain.signed', PUBLISHED, 2),
  point('mount.publish.appended', PUBLISHED, 1),
  point('mount.publish.turned', PUBLISHED, 2),
  point('mount.publish.marked', PUBLISHED, 1),
  point('mount.chain.kept', PUBLISHED, 2),
  point('mount.publish.adopted', PUBLISHED, 2),
  point('mount.snapshot.exported', ['small'], 1),
  point('mount.snapshot.stored', ['small'], 1),
  point('mount.snapshot.appended', ['small'], 1),
  point('mount.snapshot.adopted', ['small'], 1),
  point('mount.snapshot.recorded', ['small'], 1),
  point('mount.cache.kept', PUBLISHED, 2),
  point('mount.cache.put', PUBLISHED, 2),
  point('mount.cache.dropped', ['large'], 1),
  point('mount.cache.evicted', ['large'], 1),
  point(CACHE_SHRUNK, ['large'], 1, 'idle'),
  point('base.file.drafted', PUBLISHED, 1, 'start'),
  point('base.file.renamed', PUBLISHED, 1, 'start'),
  point('mount.start.locked', PUBLISHED, 1, 'start'),
  point('mount.start.opened', PUBLISHED, 1, 'start'),
  point('mount.start.chain', PUBLISHED, 1, 'start'),
  point('mount.start.online', PUBLISHED, 1, 'start'),
  point('mount.start.door', PUBLISHED, 1, 'start'),
  point('mount.stop.unmounted', PUBLISHED, 1, 'stop'),
  point('mount.stop.drained', PUBLISHED, 1, 'stop'),
]

/** Only the first start of a drive claims the right to write. */
export const CLAIMED = point('mount.chain.claimed', PUBLISHED, 1, 'start')

/** What the next start meets: an epoch that was appended before the drive died. */
export const TAKEN: readonly Point[] = [
  point('mount.publish.appended', PUBLISHED, 1),
  point('mount.chain.taken', PUBLISHED, 1, 'start'),
  point('mount.publish.marked', PUBLISHED, 1),
  point('mount.chain.advanced', PUBLISHED, 1, 'start'),
]

/** Of a process that makes an account and a drive, or joins one: test/crash/create-drive.test.ts. */
export const ACCOUNT_POINTS: readonly string[] = [
  'mount.account.created',
  'mount.device.written',
  'mount.device.settled',
]

/** Of a recovery into a new state directory. */
export const RECOVERY_POINTS: readonly string[] = [
  ...[
    'mount.device.written',
    'mount.device.settled',
    'mount.spool.written',
    'mount.recover.read',
    'mount.import.piece',
    'mount.import.checked',
  ],
  ...['mount.recover.imported', 'mount.recover.applied', 'mount.recover.kept', 'mount.recover.stated'],
]

/** Of a healing: test/long/drive-damage.test.ts. */
export const HEALING_POINTS = ['mount.carry.piece', 'mount.carry.written', 'mount.call.carryOver']

/** Every name that is killed at by some test. */
export function allPoints(): string[] {
  const points = [...LOCAL_POINTS, ...PORTABLE_POINTS, ...FIRST_POINTS, ...NET_POINTS, CLAIMED, ...TAKEN].map(
    ({ name }) => name,
  )
  const names = new Set([...points, ...RECOVERY_POINTS, ...ACCOUNT_POINTS, ...HEALING_POINTS])
  names.delete(ANY_MOMENT.name)
  return [...names].sort()
}
