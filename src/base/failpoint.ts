/**
 * Named places where a test may kill this process, or hold it: SHARDRIVE_FAILPOINT=name[:count[:how]] dies at the count-th pass
 * (default the first) of that name, as by power loss of the process: SIGKILL, no exit handlers. With `hang` the thread that
 * passes stands still for good instead, as behind a disk that does not answer; with `stop` the whole process does, by SIGSTOP,
 * until SIGCONT: time to fill its disk. Each thread counts its own passes; with SHARDRIVE_FAILPOINT_WHILE only those while that file
 * exists. Without the variable a failpoint costs one comparison.
 */
import { existsSync } from 'node:fs'

const [wanted, countText, how] = (process.env.SHARDRIVE_FAILPOINT ?? '').split(':')
const whileFile = process.env.SHARDRIVE_FAILPOINT_WHILE ?? ''
let passesLeft = countText === undefined ? 1 : Number(countText)

/** A signal may take a moment to arrive; nothing may happen in between. */
const ARRIVAL_MS = 100

export function failpoint(name: string): void {
  if (name !== wanted || (whileFile !== '' && !existsSync(whileFile))) return
  passesLeft -= 1
  if (passesLeft === 0) arrive()
}

function arrive(): void {
  if (how === 'stop') {
    process.kill(process.pid, 'SIGSTOP')
    wait(ARRIVAL_MS)
    return
  }
  if (how !== 'hang') process.kill(process.pid, 'SIGKILL')
  for (;;) wait(1_000)
}

function wait(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
