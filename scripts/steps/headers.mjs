// Finds the C headers of the very Node that runs this, for every native build. Never asks the user's
// npmrc and never trusts a folder by its name: node_version.h must name the running ABI.
import fs from 'node:fs'
import path from 'node:path'
import { root, SetupFailure, say } from './console.mjs'
import { npmRun } from './npm.mjs'

const [major] = process.versions.node.split('.')
const fetched = path.join(root, '.cache/node-headers')

/** The folder to pass as --nodedir. Fetches the npm package of this Node only when nothing on the machine fits. */
export async function findNodeDir() {
  const found = besideNode() ?? fromFetched()
  if (found !== undefined) return found
  const failure = await fetchHeaders()
  const now = fromFetched()
  if (now !== undefined) return now
  throw new SetupFailure(
    `the C headers of Node ${process.version} are nowhere to be found${failure === '' ? '' : `; ${failure}`}`,
    `install them (Debian: apt-get install libnode-dev, if its version is ${major}), or use a Node that brings them (nodejs.org, NodeSource, nvm)`,
  )
}

/** Headers that came with the running node, or from the system's package for the same ABI. */
function besideNode() {
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)))
  return [prefix, '/usr'].find(fits)
}

function fromFetched() {
  return packageNames()
    .map((name) => path.join(fetched, 'node_modules', name))
    .find(fits)
}

/** node_api.h for us, common.gypi for node-gyp, and the running ABI in node_version.h. */
export function fits(nodeDir) {
  const include = path.join(nodeDir, 'include/node')
  const complete = ['node_api.h', 'v8.h', 'common.gypi'].every((name) => fs.existsSync(path.join(include, name)))
  return complete && abiOf(path.join(include, 'node_version.h')) === process.versions.modules
}

function abiOf(versionHeader) {
  if (!fs.existsSync(versionHeader)) return undefined
  return /#define NODE_MODULE_VERSION (\d+)/.exec(fs.readFileSync(versionHeader, 'utf8'))?.[1]
}

function packageNames() {
  const { platform, arch } = process
  return [`node-${platform}-${arch}`, `node-bin-${platform}-${arch}`]
}

/** Asks for the exact version, then for any of the same major; a registry that does not answer is not asked again. */
async function fetchHeaders() {
  let last = ''
  for (const name of packageNames()) {
    for (const version of [process.versions.node, major]) {
      say(`headers: none fit ${process.execPath}; fetching ${name}@${version} from the npm registry`)
      const args = ['--no-save', '--ignore-scripts', '--fetch-retries', '1', '--prefix', fetched, `${name}@${version}`]
      try {
        fs.mkdirSync(fetched, { recursive: true })
        await npmRun(['install', ...args], { heartbeat: 'headers: npm install' })
        return ''
      } catch (error) {
        if (!(error instanceof SetupFailure)) throw error
        last = error.message
      }
      if (!/E404|ETARGET/.test(last)) return last
    }
  }
  return last
}
