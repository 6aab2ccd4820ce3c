/** The two commands of a newcomer: clone, `npm start`. Set-up from nothing, a drive, an end by Ctrl-C, and everything back. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import t from 'tap'
import { Lab, type NetworkFacts } from '../support/drive-process.js'
import { until } from '../support/programs.js'

/** Modules are fetched and native code is built. */
const FIRST_START_MS = 900_000
const SECOND_START_MS = 60_000

t.test('npm start in a clean clone ends with a drive, twice', async (t) => {
  if (!fs.existsSync('.git')) return void t.pass('not a clone itself')
  const lab = new Lab(t)
  const mount = lab.path('mnt')
  const clone = lab.path('clone')
  await lab.sh(`git -c safe.directory='*' clone -q ${process.cwd()} ${clone}`)
  const start = async (timeoutMs: number) => {
    const readyFile = lab.path('ready.json')
    fs.rmSync(readyFile, { force: true })
    const words = ['start', '--', mount, '--dir', lab.path('up'), '--json', '--ready-file', readyFile]
    const child = spawn('npm', words, { cwd: clone, env: lab.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        said += text
      })
    }
    const ended = new Promise<number | string>((resolve) =>
      child.once('exit', (code, signal) => resolve(code ?? signal ?? '')),
    )
    t.teardown(() => child.kill('SIGTERM'))
    let over: number | string | null = null
    void ended.then((code) => {
      over = code
    })
    await until('npm start is ready', () => over !== null || fs.existsSync(readyFile), timeoutMs)
    if (over !== null) throw new Error(`npm start ended with ${over}:\n${said.slice(-4_000)}`)
    const facts = JSON.parse(fs.readFileSync(readyFile, 'utf8')) as NetworkFacts
    const interrupt = async () => {
      process.kill(-(child.pid as number), 'SIGINT')
      return ended
    }
    return { facts, interrupt }
  }
  const first = await start(FIRST_START_MS)
  await lab.sh(`cp -r ${clone}/src ${clone}/docs ${mount}/ && diff -r ${clone}/src ${mount}/src`)
  const status = await lab.sh(`cd ${clone} && npx --no-install shardrive sync && npx --no-install shardrive status`)
  t.match(status, /stored/)
  await first.interrupt()
  await until('everything has ended', async () => (await lab.processes()).length === 0)
  t.same(lab.mounts(), [])

  const second = await start(SECOND_START_MS)
  t.equal(second.facts.bridge, first.facts.bridge)
  await lab.sh(`diff -r ${clone}/src ${mount}/src && diff -r ${clone}/docs ${mount}/docs`)
  await second.interrupt()
  await until('everything has ended', async () => (await lab.processes()).length === 0)
  t.same(lab.mounts(), [])
})
