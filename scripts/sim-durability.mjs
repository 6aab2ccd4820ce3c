// `npm run sim:durability [-- ARGS]`: compiles what changed, then bench/sim/run.ts with the arguments. It computes and
// mounts nothing, so it asks for modules and JavaScript only, not for the programs and addons that the drive needs.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { reportBuild } from './build.mjs'
import { root, tell } from './steps/console.mjs'
import { ensureModules } from './steps/modules.mjs'
import { inTurn } from './steps/turn.mjs'

await tell(() =>
  inTurn(async () => {
    await ensureModules()
    await reportBuild(['src', 'bench'])
  }),
)
const file = path.join(root, 'dist-test/bench/sim/run.js')
const ended = spawnSync(process.execPath, ['--enable-source-maps', file, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
process.exitCode = ended.status ?? 130
