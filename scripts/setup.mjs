// `npm run setup`, and the first step of `npm start` and `npm test`: everything between a fresh clone and a
// program that runs. Each step looks first and works only when it must; a second run takes a fraction of a second.
//   1 Debian packages   2 node_modules   3 JavaScript   4 native addons
// Promise: nothing of it depends on the user's npmrc, and a failed step leaves the earlier ones in place.

import { reportBuild } from './build.mjs'
import { SetupFailure, tell } from './steps/console.mjs'
import { ensurePrograms, offerPrograms } from './steps/debian.mjs'
import { openFuseDevice } from './steps/fuse-device.mjs'
import { ensureModules } from './steps/modules.mjs'
import { ensureNative } from './steps/native.mjs'
import { inTurn } from './steps/turn.mjs'

/** `forTests` adds what the tests need: the programs they run, and the tests' own JavaScript. */
export async function setUp({ forTests = false } = {}) {
  checkNode()
  await inTurn(async () => {
    await ensurePrograms(forTests ? ['mount', 'tests'] : ['mount'])
    // Not unasked on somebody's own machine: the package of the TURN server starts one.
    if (forTests && process.env.CI) await offerPrograms(['lab', 'portable'])
    if (forTests) openFuseDevice()
    await ensureModules()
    await reportBuild(forTests ? ['src', 'test', 'bench'] : [])
    await ensureNative()
  })
}

/** engines of package.json in words that help: npm's own message comes late and long. */
function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return
  throw new SetupFailure(
    `Node ${process.version} does not do`,
    'use Node 24 (recommended), 22.12 or newer, or 20.19 or newer',
  )
}

if (process.argv[1] === import.meta.filename) await tell(() => setUp({ forTests: process.argv.includes('--tests') }))
