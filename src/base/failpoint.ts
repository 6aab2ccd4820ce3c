/**
 * Named places where a crash test may kill this process: SHARDRIVE_FAILPOINT=name[:count[:hang]] dies at the count-th pass
 * (default the first) of that name, as by power loss of the process: SIGKILL, no exit handlers. With `hang` the thread that
 * passes stands still for good instead, as behind a disk that does not answer. Without the variable a failpoint costs one
 * comparison.
 */
const [wanted, countText, how] = (process.env.SHARDRIVE_FAILPOINT ?? '').split(':')
let passesLeft = countText === undefined ? 1 : Number(countText)

export function failpoint(name: string): void {
  if (name !== wanted) return
  passesLeft -= 1
  if (passesLeft > 0) return
  if (how !== 'hang') process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment to arrive; nothing may happen in between.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)
}
