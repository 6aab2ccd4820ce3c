// `npm run build`: compiles what changed. See steps/typescript.mjs.
import { say, seconds, tell } from './steps/console.mjs'
import { buildTypeScript } from './steps/typescript.mjs'

await tell(async () => {
  const startedMs = performance.now()
  const changed = await buildTypeScript()
  say(changed === 0 ? 'build: nothing to do' : `build: ${changed} files in ${seconds(startedMs)}`)
})
