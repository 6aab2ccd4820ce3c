// Finds what would make `npm ci` refuse or leak package-lock.json: optional packages (other platforms' binaries)
// that npm left out because the registry it saw lacked them, and addresses of a private registry.
import fs from 'node:fs'
import path from 'node:path'
import { root } from './steps/console.mjs'

/** One line a fault; an empty array is a good lock. */
export function lockFaults(lock) {
  return [...missingOptionals(lock.packages), ...namedHosts(lock.packages)]
}

function missingOptionals(packages) {
  const faults = []
  for (const [place, facts] of Object.entries(packages)) {
    for (const name of Object.keys(facts.optionalDependencies ?? {})) {
      if (!isFound(packages, place, name))
        faults.push(`${place || 'package.json'} wants ${name}, which the lock leaves out`)
    }
  }
  return faults
}

/** Node's own rule: look in node_modules beside, then in every folder above. */
function isFound(packages, place, name) {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const prefix = from === '' ? '' : `${from}/`
    if (packages[`${prefix}node_modules/${name}`] !== undefined) return true
    if (from === '') return false
  }
}

function namedHosts(packages) {
  return Object.entries(packages)
    .filter(([, facts]) => facts.resolved !== undefined && !facts.resolved.startsWith('https://registry.npmjs.org/'))
    .map(([place, facts]) => `${place} is pinned to ${facts.resolved}`)
}

if (process.argv[1] === import.meta.filename) {
  const faults = lockFaults(JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')))
  for (const fault of faults) process.stdout.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
