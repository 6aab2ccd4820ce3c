// native/ -> native/build/Release/*.node, by the node-gyp that comes with npm; only when a source or the Node changed.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { root, run, say, seconds } from './console.mjs'
import { ensurePrograms } from './debian.mjs'
import { findNodeDir } from './headers.mjs'
import { findNodeGyp } from './npm.mjs'

const folder = path.join(root, 'native')
const stampFile = path.join(folder, 'build/.made-from')

/** Content, not time: a fresh clone gives every file a new time. */
function nativeStamp() {
  const hash = createHash('sha256').update(`${process.versions.modules} ${process.platform} ${process.arch}`)
  for (const name of fs.readdirSync(folder, { recursive: true }).sort()) {
    const file = path.join(folder, name)
    if (name.split(path.sep)[0] === 'build' || !fs.statSync(file).isFile()) continue
    hash.update(`\0${name}\0`).update(fs.readFileSync(file))
  }
  return `${hash.digest('hex')} abi ${process.versions.modules}\n`
}

export function nativeIsFresh() {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, 'utf8') === nativeStamp()
}

/** Returns whether anything was built. make rebuilds only what changed, unless the Node did. */
export async function ensureNative() {
  if (nativeIsFresh()) return false
  await ensurePrograms(['build'])
  const nodeDir = await findNodeDir()
  const startedMs = performance.now()
  const stamp = nativeStamp()
  forgetOtherNode()
  say('native: building the addons (node-gyp)')
  const args = [findNodeGyp(), 'configure', 'build', '-j', 'max', '--release', '--loglevel', 'error']
  // -k: an error in one addon does not stop the others, and all errors show at once.
  const env = { ...process.env, MAKEFLAGS: '-k' }
  const hint = 'an error of the C compiler is a bug: report it with the lines above'
  await run(process.execPath, [...args, '--nodedir', nodeDir, '--directory', folder], { env, hint })
  fs.writeFileSync(stampFile, stamp)
  say(`native: built in ${seconds(startedMs)}`)
  return true
}

function forgetOtherNode() {
  const made = fs.existsSync(stampFile) ? fs.readFileSync(stampFile, 'utf8') : ''
  if (made.endsWith(` abi ${process.versions.modules}\n`)) return
  fs.rmSync(path.join(folder, 'build'), { recursive: true, force: true })
}
