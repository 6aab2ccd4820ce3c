// Which npm and which node-gyp: those that belong to the running node, found without a shell.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { root, run, SetupFailure } from './console.mjs'

/** npm-cli.js of the npm that runs us, of the one beside node, or of the one on the PATH. */
export function findNpm() {
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)))
  const onPath = (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, 'npm'))
  const candidates = [process.env.npm_execpath, path.join(prefix, 'lib/node_modules/npm/bin/npm-cli.js'), ...onPath]
  const found = candidates.find((one) => one !== undefined && fs.existsSync(one))
  if (found === undefined) throw new SetupFailure('npm was not found', 'install npm, or put it on the PATH')
  return fs.realpathSync(found)
}

/** node-gyp.js that comes with npm; distributions that split npm up have it as a module of its own. */
export function findNodeGyp() {
  const fromNpm = createRequire(findNpm())
  const fromProject = createRequire(path.join(root, 'package.json'))
  for (const require of [fromNpm, fromProject]) {
    try {
      return require.resolve('node-gyp/bin/node-gyp.js')
    } catch {
      // the next place
    }
  }
  throw new SetupFailure('node-gyp was not found', 'install a complete npm (npm install -g npm), it brings node-gyp')
}

export function npmRun(args, options = {}) {
  const npm = findNpm()
  const [program, first] = npm.endsWith('.js') ? [process.execPath, [npm]] : [npm, []]
  return run(program, [...first, ...args], options)
}
