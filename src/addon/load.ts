/** Finds and loads native/build/Release/NAME.node. */
import { createRequire } from 'node:module'
import { AppError } from '../base/errors.js'
import { findProgramFile } from '../base/program-files.js'

const require = createRequire(import.meta.url)

/**
 * The exports of the addon, as they are: the caller checks the version. Throws `addon-missing` when it was not built,
 * `addon-broken` when it does not load on this machine.
 */
export function loadAddon(name: string): unknown {
  const file = findProgramFile('native', 'build', 'Release', `${name}.node`)
  if (file === undefined) {
    throw new AppError('addon-missing', `the native part "${name}" is not built`, { hint: 'run: npm run setup' })
  }
  try {
    return require(file)
  } catch (cause) {
    throw new AppError('addon-broken', `the native part "${name}" does not load here`, {
      cause,
      hint: 'it was built for another machine or another Node: delete native/build and run: npm run setup',
    })
  }
}
