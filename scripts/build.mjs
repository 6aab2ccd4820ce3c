// `npm run build`: compiles what changed, native addons and TypeScript. See steps/.
import { say, seconds, tell } from './steps/console.mjs'
import { buildJavaScript } from './steps/javascript.mjs'
import { ensureNative } from './steps/native.mjs'
import { inTurn } from './steps/turn.mjs'

export async function reportBuild(trees) {
  const startedMs = performance.now()
  const changed = await buildJavaScript(trees)
  if (changed > 0) say(`build: ${changed} files in ${seconds(startedMs)}`)
  return changed
}

if (process.argv[1] === import.meta.filename) {
  await tell(async () => {
    const native = await inTurn(ensureNative)
    const changed = await reportBuild()
    if (!native && changed === 0) say('build: nothing to do')
  })
}
