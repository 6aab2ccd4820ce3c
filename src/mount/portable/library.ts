/**
 * The npm package fuse-native, which the portable door stands on, and below it libfuse 2 of the system. Loaded when this door is
 * asked for and never otherwise.
 *
 * Three things of it are used that its README does not name, because the defects lie there: `_op_NAME` answers an operation (some
 * of those that it brings answer with more bytes than there is room for), `_handlers` are what its C side calls (with the
 * memory of the asking thread: thread-memory.ts), `_close` ends also what has started half way. The version is exact in
 * package.json, and what is relied on is looked for before.
 */
import type Fuse from 'fuse-native'
import { AppError } from '../../base/errors.js'

export type FuseNative = typeof Fuse

/** Throws `libfuse-missing`, `addon-broken`. */
export async function loadFuseNative(): Promise<FuseNative> {
  let library: FuseNative
  try {
    library = (await import('fuse-native')).default
  } catch (error) {
    throw unloadable(error as Error)
  }
  // `_handlers` comes with each mount, and is there where these are.
  const seams = ['_op_getattr', '_close'].map((name) => Reflect.get(library.prototype, name))
  if (!seams.every((seam) => typeof seam === 'function')) {
    throw new AppError('addon-mismatch', 'fuse-native is of another version than this program', {
      hint: 'run: npm run setup',
    })
  }
  // It would run fusermount through a shell, with the place as it is. The door has unmounted by then, without a shell.
  library.unmount = (_place, done) => done(null)
  return library
}

function unloadable(cause: Error): AppError {
  if (/libfuse\.so\.2|libfuse\.2\.dylib/.test(cause.message)) {
    return new AppError('libfuse-missing', 'the door fuse-native needs libfuse 2, which does not load here', {
      cause,
      hint: 'apt-get install libfuse2 (newer Debian and Ubuntu: libfuse2t64), or mount with --door native',
    })
  }
  return new AppError('addon-broken', 'the package fuse-native does not load here', {
    cause,
    hint: 'it has binaries for x86-64 alone: mount with --door native',
  })
}
