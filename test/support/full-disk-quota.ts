/** A used-up quota for one process: quota-shim.c. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const SOURCE = path.resolve('test/support/quota-shim.c')

/** What it needs in its environment; the library is made in `folder`. Needs a compiler (noRecorder()). */
export function quotaEnv(folder: string): Record<string, string> {
  const library = path.join(folder, 'quota-shim.so')
  const made = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl'], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`the shim: ${made.stderr}`)
  // Node must not pass its calls by the C library.
  return { LD_PRELOAD: library, UV_USE_IO_URING: '0' }
}
