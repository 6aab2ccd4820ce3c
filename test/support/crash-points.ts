/** Where crash tests kill a drive: names of failpoints (docs/durability.md), what reaches them, and how often. */
import { PROGRAM_WORKLOADS } from './crash-programs.js'

export interface Point {
  /** '': at no failpoint, at any moment. */
  name: string
  /** Any of them reaches it. */
  workloads: readonly string[]
  /** The kill comes at one of the first so many passes. */
  countMax: number
  when: 'start' | 'work' | 'stop'
}

const STEPS = ['small', 'editors', 'moves', 'large', 'appends', 'links']
const ALL = [...STEPS, ...PROGRAM_WORKLOADS]

function point(name: string, workloads: readonly string[], countMax: number, when: Point['when'] = 'work'): Point {
  return { name, workloads, countMax, when }
}

export const ANY_MOMENT = point('', ALL, 1)

/** Between a write and this disk: a drive without a network has them all. */
export const LOCAL_POINTS: readonly Point[] = [
  point('mount.stage.taken', STEPS, 40),
  point('mount.stage.handed', ALL, 40),
  point('mount.call.make', ['small', 'editors', 'moves', 'git'], 12),
  point('mount.call.write', ALL, 30),
  point('mount.call.unlink', ['small', 'moves'], 8),
  point('mount.call.rename', ['editors', 'moves', 'git'], 8),
  point('mount.call.link', ['links'], 8),
  point('mount.call.setAttributes', ['links'], 8),
  point('mount.call.setXattr', ['links'], 2),
  point('mount.call.reap', ['small', 'editors', 'moves'], 5),
  point('mount.staged.written', STEPS, 12),
  point('mount.log.written', ALL, 6),
  point('mount.commit.begun', ALL, 6),
  point('mount.commit.written', ALL, 6),
  point('mount.commit.done', ALL, 6),
  point('mount.sync.begun', ALL, 5),
  point('sqlite.flush.begun', ALL, 5),
  point('mount.sync.done', ALL, 5),
  point('mount.checkpoint.begun', ['large'], 1),
  point('mount.checkpoint.done', ['large'], 1),
  point('mount.checkpointer.begun', ['large'], 1),
  point('mount.checkpointer.done', ['large'], 1),
  point('sqlite.open.made', ['small'], 1, 'start'),
  point('sqlite.open.prepared', ['small'], 1, 'start'),
  point('mount.call.reapOrphans', ['editors'], 1, 'start'),
  point('mount.start.reaped', ['editors'], 1, 'start'),
  point('mount.close.moved', ALL, 1, 'stop'),
]
