import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { importsOf, readSource } from './source.js'

interface Package {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  overrides: Record<string, string>
  allowScripts: Record<string, boolean>
}
interface Lock {
  packages: Record<
    string,
    { version?: string; hasInstallScript?: boolean; engines?: { node?: string }; resolved?: string }
  >
}

const own = JSON.parse(fs.readFileSync('package.json', 'utf8')) as Package
const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8')) as Lock

t.test('every version in package.json is exact', async (t) => {
  const all = { ...own.dependencies, ...own.devDependencies, ...own.overrides }
  const floating = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
  t.same(floating, [], 'what was tested is what is installed')
})

t.test('the lock file works at every registry: no holes, no private addresses', async (t) => {
  const file = pathToFileURL(path.resolve('scripts/lockcheck.mjs')).href
  const { lockFaults } = (await import(file)) as { lockFaults: (lock: Lock) => string[] }
  t.same(
    lockFaults(lock),
    [],
    'npm ci refuses a lock that leaves out other platforms, and an address may be out of reach',
  )
  const broken = {
    packages: { '': { optionalDependencies: { ghost: '1.0.0' } }, 'node_modules/a': { resolved: 'http://b/' } },
  }
  t.equal(lockFaults(broken as Lock).length, 2, 'the check itself finds both faults')
})

t.test('every package with an install script is allowed or refused by name', async (t) => {
  const withScripts = Object.entries(lock.packages)
    .filter(([place, facts]) => place !== '' && facts.hasInstallScript === true)
    .map(([place]) => place.split('node_modules/').at(-1) ?? place)
  t.same(
    withScripts.filter((name) => own.allowScripts[name] === undefined),
    [],
    'newer npm skips scripts that nobody decided on',
  )
})

t.test('src/ imports only what package.json installs for users', async (t) => {
  const used = readSource().flatMap(importsOf)
  const foreign = used.filter((one) => !one.isOurs && !one.target.startsWith('node:') && !one.typeOnly)
  const unknown = foreign.filter((one) => own.dependencies[one.target] === undefined)
  t.same(
    unknown.map((one) => `${one.from.name} imports ${one.target}`),
    [],
  )
})

t.test('npm run starts node without a shell in between', async (t) => {
  const wrong = Object.entries(own.scripts).filter(([, line]) => line.startsWith('node '))
  t.same(wrong, [], 'npm sends SIGTERM to the shell, which dies alone and leaves node behind: write exec node')
})
