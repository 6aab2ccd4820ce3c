/**
 * Files that come with the program: package.json, native addons. The search walks up from this file, because the program runs
 * from dist/, its parts run from dist-test/src/ and, in a package, from anywhere.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** dist-test/src/base is three folders below the project; two more for what a package may add. */
const LEVELS_MAX = 5

/** The nearest file of this name (segments of a path) in a folder above; undefined when there is none. */
export function findProgramFile(...names: string[]): string | undefined {
  let folder = path.dirname(fileURLToPath(import.meta.url))
  for (let level = 0; level < LEVELS_MAX; level++) {
    folder = path.dirname(folder)
    const file = path.join(folder, ...names)
    if (fs.existsSync(file)) return file
  }
  return undefined
}
