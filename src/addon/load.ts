/**
 * Finds and loads native/build/Release/NAME.node. The search walks up from this file, because the program runs from
 * dist/, from dist-test/src/ and, in a package, from anywhere.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../base/errors.js'

/** dist-test/src/addon is three folders below the project; one more for what a package may add. */
const LEVELS_MAX = 5
const require = createRequire(import.meta.url)

/**
 * The exports of the addon, as they are: the caller checks the version. Throws `addon-missing` when it was not built,
 * `addon-broken` when it does not load on this machine.
 */
export function loadAddon(name: string): unknown {
  const file = findAddon(name)
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

function findAddon(name: string): string | undefined {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < LEVELS_MAX; level++) {
    folder = path.dirname(folder)
    const file = path.join(folder, 'native', 'build', 'Release', `${name}.node`)
    if (fs.existsSync(file)) return file
  }
  return undefined
}
