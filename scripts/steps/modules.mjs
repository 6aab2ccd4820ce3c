// node_modules: `npm ci` when it is missing, or was made from another lock file or for another Node.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { root, say, seconds } from './console.mjs'
import { ensurePrograms } from './debian.mjs'
import { findNodeDir } from './headers.mjs'
import { npmRun } from './npm.mjs'

const stampFile = path.join(root, 'node_modules/.made-from')

export function modulesStamp() {
  const lock = fs.readFileSync(path.join(root, 'package-lock.json'))
  const { platform, arch, versions } = process
  return `${createHash('sha256').update(lock).digest('hex')} abi ${versions.modules} ${platform}-${arch}\n`
}

export function modulesAreFresh() {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === modulesStamp()
}

/** node-gyp inside `npm ci` (better-sqlite3) learns the headers from here, under both names that npm versions use. */
export function environmentForNpm(nodeDir) {
  return { ...process.env, npm_config_nodedir: nodeDir, npm_package_config_node_gyp_nodedir: nodeDir }
}

/** Returns whether anything was installed. */
export async function ensureModules() {
  if (modulesAreFresh()) return false
  await ensurePrograms(['build'])
  const env = environmentForNpm(await findNodeDir())
  const startedMs = performance.now()
  say('modules: npm ci (one to three minutes: the SQLite driver is compiled for this Node)')
  const hint = 'look at the lines above; without a network, set up once with one'
  await npmRun(['ci', '--no-audit', '--no-fund'], { env, hint, heartbeat: 'modules: npm ci' })
  fs.writeFileSync(stampFile, modulesStamp())
  say(`modules: installed in ${seconds(startedMs)}`)
  return true
}
