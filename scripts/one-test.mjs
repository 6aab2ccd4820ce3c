// `npm run t -- test/rooms/x/y.test.ts ...`: compiles what changed, then runs the named files alone, with
// their TAP as it comes. A folder runs everything in it. Flags (`--...`) go to node.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { root, SetupFailure, say, tell } from './steps/console.mjs'
import { buildJavaScript } from './steps/javascript.mjs'

/** test/rooms/x/y.test.ts -> dist-test/test/rooms/x/y.test.js; a folder -> all tests in it. */
export function compiledTests(name) {
  const inProject = path.relative(root, path.resolve(name))
  const full = path.join(root, inProject)
  if (!fs.existsSync(full)) throw new SetupFailure(`there is no ${inProject}`, 'name a file or a folder under test/')
  const files = fs.statSync(full).isDirectory()
    ? fs.readdirSync(full, { recursive: true }).map((one) => path.join(inProject, one))
    : [inProject]
  return files
    .filter((one) => one.endsWith('.test.ts'))
    .sort()
    .map((one) => path.join('dist-test', one.replace(/\.ts$/, '.js')))
}

/** Real processes, or a whole network in one. */
export const slow = /^dist-test\/test\/(?:mount|crash|nat|net)\//
/** Virtual years of a hundred hosts, for several seeds. */
const years = /\/long\/planet-year/
/** Far above what a sound file needs, so that one that hangs is named while somebody still waits. */
export const deadlineMsOf = (file) =>
  years.test(file) ? 3 * 3_600_000 : file.includes('/long/') ? 3_600_000 : slow.test(file) ? 300_000 : 120_000
/** Of tap itself, which then says what was under way. */
export const tapTimeoutOf = (file) => String(deadlineMsOf(file) / 1000 - 10)

if (process.argv[1] === import.meta.filename) {
  await tell(async () => {
    const names = process.argv.slice(2).filter((word) => !word.startsWith('-'))
    const flags = process.argv.slice(2).filter((word) => word.startsWith('-'))
    if (names.length === 0) throw new SetupFailure('no test named', 'npm run t -- test/rooms/base/errors.test.ts')
    await buildJavaScript()
    for (const file of names.flatMap(compiledTests)) {
      if (names.length > 1 || !names[0].endsWith('.ts')) say(`\n${file}`)
      const ended = spawnSync(process.execPath, ['--enable-source-maps', ...flags, file], {
        cwd: root,
        env: { TAP_TIMEOUT: tapTimeoutOf(file), ...process.env },
        stdio: 'inherit',
      })
      if (ended.status !== 0) process.exitCode = 1
    }
  })
}
