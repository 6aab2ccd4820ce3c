// `npm run bench [-- ARGS]`: set-up, then bench/run.ts with the arguments.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { setUp } from './setup.mjs'
import { root, tell } from './steps/console.mjs'

await tell(() => setUp({ forTests: true }))
const file = path.join(root, 'dist-test/bench/run.js')
const ended = spawnSync(process.execPath, ['--enable-source-maps', file, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
process.exitCode = ended.status ?? 130
