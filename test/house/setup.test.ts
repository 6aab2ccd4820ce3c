import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { listFiles } from './source.js'

/** A user's environment with nothing of ours in it: an empty home, and no setting of npm. */
function bareEnvironment(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: home }
}

/** The parts of the repository that set-up reads, as in a fresh clone that has its node_modules. */
function freshClone(folder: string): void {
  for (const name of ['scripts', 'native', 'package.json', 'package-lock.json', 'tsconfig.json']) {
    fs.cpSync(name, path.join(folder, name), { recursive: true, filter: (one) => !one.startsWith('native/build') })
  }
  fs.symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'))
}

t.test('the native addons build with an empty home and no npmrc, once', async (t) => {
  const folder = t.testdir({ home: {}, clone: {} })
  const clone = path.join(folder, 'clone')
  freshClone(clone)
  const step = pathToFileURL(path.join(clone, 'scripts/steps/native.mjs')).href
  const program = `const { ensureNative } = await import('${step}'); console.log(await ensureNative())`
  const build = () =>
    spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: clone,
      encoding: 'utf8',
      env: bareEnvironment(path.join(folder, 'home')),
    })
  const first = build()
  t.equal(first.stdout, 'true\n', first.stderr)
  for (const addon of ['codec', 'door', 'memory', 'notify']) {
    if (addon === 'door' && process.platform !== 'linux') continue
    t.ok(fs.existsSync(path.join(clone, `native/build/Release/${addon}.node`)), addon)
  }
  const second = build()
  t.equal(second.stdout, 'false\n', 'a second run has nothing to do')
  t.equal(second.stderr, '', 'and nothing to say')
  fs.appendFileSync(path.join(clone, 'native/codec.c'), '\nthis is not C\n')
  const third = build()
  t.equal(third.status, 1, 'an error of the compiler stops set-up')
  t.match(third.stderr, /codec\.c/)
})

t.test('node-gyp inside npm ci is told where the headers of this very node are', async (t) => {
  const load = async (name: string) => await import(pathToFileURL(path.resolve(`scripts/steps/${name}.mjs`)).href)
  const { findNodeDir, fits } = await load('headers')
  const nodeDir = await findNodeDir()
  t.ok(fits(nodeDir))
  t.notOk(
    fits(t.testdir({ include: { node: { 'node_api.h': '', 'v8.h': '', 'common.gypi': '' } } })),
    'a version is needed',
  )
  const { environmentForNpm } = await load('modules')
  t.match(environmentForNpm(nodeDir), { npm_config_nodedir: nodeDir, npm_package_config_node_gyp_nodedir: nodeDir })
})

t.test('an ordinary user is told what to install; nothing is tried', async (t) => {
  const step = pathToFileURL(path.resolve('scripts/steps/debian.mjs')).href
  const program = `
    process.getuid = () => 1000
    const { ensurePrograms } = await import('${step}')
    try { await ensurePrograms(['no-such-need'], { 'no-such-need': [{ programs: ['no-such-program'], package: 'the-package' }] }) }
    catch (error) { console.log(error.message + ' / ' + error.whatToDo) }`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  t.match(stdout, /^missing: no-such-program \/ as root: apt-get install the-package/)
})

t.test('the runner counts the tests of a file, not their assertions', async (t) => {
  const file = pathToFileURL(path.resolve('scripts/tap-lines.mjs')).href
  const { countTap } = await import(file)
  const out = 'ok 1 - a\n    not ok 1 - inner\nnot ok 2 - b\nok 3 - c # SKIP no fuse\nok 4 - d # time=1ms\n'
  t.same(countTap(out), { passed: 2, failed: 1, skipped: 1 })
})

t.test('the tests need /dev/fuse open to all users: root sees to it, once, and says so', async (t) => {
  const { openFuseDevice } = await import(pathToFileURL(path.resolve('scripts/steps/fuse-device.mjs')).href)
  const device = path.join(t.testdir({ fuse: '' }), 'fuse')
  fs.chmodSync(device, 0o600)
  const isRoot = process.geteuid?.() === 0
  t.equal(openFuseDevice(device), isRoot, 'an ordinary user changes nothing')
  t.equal(fs.statSync(device).mode & 0o777, isRoot ? 0o666 : 0o600)
  t.equal(openFuseDevice(device), false, 'what is open already is left as it is')
  t.equal(openFuseDevice(`${device}-missing`), false)
})

t.test('the program has a file for every thread that it starts', async (t) => {
  const started = listFiles('src', ['.ts']).flatMap((name) => [
    ...fs.readFileSync(name, 'utf8').matchAll(/new Worker\(\s*new URL\('\.\/(.*?)'/g),
  ])
  const names = started.map((one) => one[1] as string)
  t.ok(names.includes('ledger-worker.js'))
  t.same(
    names.filter((name) => !fs.existsSync(path.join('dist', name))),
    [],
    'scripts/steps/javascript.mjs makes one of every src/**/*-worker.ts',
  )
})
