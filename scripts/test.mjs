// `npm test` (also `test:fast`, `test:long`): set-up, types, lint, then every test file in a process of its own.
//
// Why not `tap run`: it loads a TypeScript loader and two more into each file, 0.6 s a file that these compiled
// files have no use for. Each file is a tap program that runs by itself; this starts them, reads their TAP,
// and adds up. Files run a few at a time: those with whole networks of processes need a core or more each, the others wait
// more than they compute. Those that kill hosts or fill a disk and look at how long things take then come first, with one
// light file at a time beside them.
//
//   npm test                       everything but test/long
//   npm test -- test/mount x.test.ts    only these, with set-up, without types and lint
//   npm run test:long -- --hours 8 --seed 1    kills and losses of power for so long (crash-hours.mjs)
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crashFor } from './crash-hours.mjs'
import { compiledTests, deadlineMsOf, slow, tapTimeoutOf } from './one-test.mjs'
import { setUp } from './setup.mjs'
import { root, run, SetupFailure, say, seconds, tell } from './steps/console.mjs'
import { clearRunFolder, makeRunFolder } from './steps/leftovers.mjs'
import { countTap, failedLines } from './tap-lines.mjs'

const plans = {
  all: [
    'test/house',
    'test/vectors',
    'test/rooms',
    'test/hostile',
    'test/suites',
    'test/model',
    'test/net',
    'test/mount',
    'test/crash',
    'test/nat',
  ],
  fast: ['test/house', 'test/vectors', 'test/rooms', 'test/hostile', 'test/model'],
  long: ['test/long'],
}
/** Their deadlines are real time, so they get most of the machine for themselves. */
const alone = /^dist-test\/test\/(?:long\/|mount\/(?:hosts-(?:read|write)|full-disk))/
/** A dozen processes each. */
const heavy = /^dist-test\/test\/(?:mount|crash|nat)\//
const cores = Math.max(2, Math.min(4, os.availableParallelism()))
/** What waits for real clocks, processes and sockets can fail on a machine that was busy elsewhere: it gets up to two more runs, and
 * the end of the report names it. What fails each time has failed. */
const timed = /^dist-test\/test\/(?:mount|crash|nat|net)\/|^dist-test\/test\/rooms\/rtc\//
const moreRuns = 2
const unsteady = []

const running = new Set()
/** Where the tests keep their temporary files. */
let folder = ''

const bin = (name) => path.join(root, 'node_modules', name)
/** Types and lint count as a test each. */
const codeChecks = [
  () => check('types', [bin('typescript/bin/tsc'), '-p', 'tsconfig.test.json', '--pretty', 'false']),
  () => check('lint and format', [bin('@biomejs/biome/bin/biome'), 'check', '--colors=off', '.']),
]

await tell(async () => {
  const startedMs = performance.now()
  await setUp({ forTests: true })
  const words = process.argv.slice(2)
  const plan = words.length === 0 ? 'all' : words[0]
  if (plan === 'long' && words.some((word) => word === '--hours' || word === '--kills')) return crashFor(words.slice(1))
  const folders = plans[plan]?.filter((one) => fs.existsSync(path.join(root, one))) ?? words
  const files = folders.flatMap(compiledTests)
  if (files.length === 0) throw new SetupFailure('no test files found', 'name files or folders under test/')
  folder = makeRunFolder()
  const results = await runAll(files, plan === 'all' ? codeChecks : [])
  conclude([...results, nothingLeft()], startedMs)
})

async function check(name, args) {
  const startedMs = performance.now()
  try {
    await run(process.execPath, args)
    say(`ok       ${name} (${seconds(startedMs)})`)
    return { name, passed: 1, failed: 0, skipped: 0, tail: '' }
  } catch (error) {
    if (!(error instanceof SetupFailure)) throw error
    say(`NOT OK   ${name} (${seconds(startedMs)})\n${error.message}`)
    return { name, passed: 0, failed: 1, skipped: 0, tail: error.message }
  }
}

async function runAll(files, checks) {
  process.on('SIGINT', () => stopAll(130))
  process.on('SIGTERM', () => stopAll(143))
  const task = (file) => () => runSteadily(file)
  const together = files.filter((file) => !alone.test(file))
  const networks = together.filter((file) => heavy.test(file)).map(task)
  // The long ones first, so that none is left over at the end with nobody beside it.
  const light = together.filter((file) => !heavy.test(file)).sort((a, b) => slow.test(b) - slow.test(a))
  const others = [...checks, ...light.map(task)]
  const results = []
  const work = async (...queues) => {
    const next = () => queues.find((queue) => queue.length > 0)?.shift()
    for (let task = next(); task !== undefined; task = next()) results.push(await task())
  }
  const lone = work(files.filter((file) => alone.test(file)).map(task))
  const lanes = [
    lone.then(() => work(networks, others)),
    work(others, networks),
    lone.then(() => work(others, networks)),
    ...Array.from({ length: cores - 2 }, () => lone.then(() => work(networks, others))),
  ]
  await Promise.all(lanes)
  return results
}

async function runSteadily(file) {
  const first = await runFile(file)
  if (first.failed === 0 || !timed.test(file)) return first
  for (let more = 1; ; more++) {
    const again = await runFile(file)
    if (again.failed === 0) unsteady.push(again.name)
    if (again.failed === 0 || more === moreRuns) return again
  }
}

/** Each file has a process group of its own, so that whatever it started ends with it. */
function runFile(file) {
  const startedMs = performance.now()
  const fileDeadlineMs = deadlineMsOf(file)
  const name = file.replace('dist-test/', '').replace(/\.js$/, '.ts')
  const env = {
    ...process.env,
    TMPDIR: folder,
    TAP: '1',
    TAP_TIMEOUT: tapTimeoutOf(file),
    NODE_ENV: 'test',
  }
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  return new Promise((resolve) => {
    let out = ''
    let err = ''
    let late = false
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err = (err + chunk).slice(-20_000)))
    const deadline = setTimeout(() => {
      late = true
      killGroup(child)
    }, fileDeadlineMs)
    child.on('exit', () => setTimeout(() => killGroup(child), 200))
    child.on('close', (code, signal) => {
      clearTimeout(deadline)
      running.delete(child)
      const end = late
        ? `no end after ${fileDeadlineMs / 1000} s`
        : signal
          ? `killed by ${signal}`
          : `exit code ${code}`
      resolve(report(name, countTap(out), { ok: code === 0, end, out, err, took: seconds(startedMs) }))
    })
  })
}

function report(name, counts, { ok, end, out, err, took }) {
  const { passed, skipped } = counts
  // A file that dies, or promises nothing and does nothing, is a failure of its own.
  const failed = counts.failed > 0 ? counts.failed : ok && passed + skipped > 0 ? 0 : 1
  if (failed === 0) {
    say(`ok       ${name} (${passed}${skipped > 0 ? `, ${skipped} skipped` : ''}; ${took})`)
    return { name, passed, failed, skipped, tail: '' }
  }
  const tail = [failedLines(out), err.trimEnd(), `${name}: ${end}`].filter((part) => part !== '').join('\n')
  say(`NOT OK   ${name} (${passed} passed, ${failed} failed; ${took})\n${tail}\n         again: npm run t -- ${name}`)
  return { name, passed, failed, skipped, tail }
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // all of them have ended
  }
}

function stopAll(code) {
  for (const child of running) killGroup(child)
  clearRunFolder(folder)
  process.exit(code)
}

/** What a test left running or mounted is taken away, and is a failure. */
function nothingLeft() {
  const left = clearRunFolder(folder)
  const name = 'nothing is left behind'
  say(left.length === 0 ? `ok       ${name}` : `NOT OK   ${name}:\n         ${left.join('\n         ')}`)
  return { name, passed: left.length === 0 ? 1 : 0, failed: left.length === 0 ? 0 : 1, skipped: 0, tail: '' }
}

function conclude(results, startedMs) {
  for (const name of unsteady) say(`UNSTEADY ${name}: failed at first, passed when it was run again`)
  const sum = (what) => results.reduce((total, one) => total + one[what], 0)
  const bad = results.filter((one) => one.failed > 0)
  if (bad.length > 0) say(`\nfailed: ${bad.map((one) => one.name).join(', ')}`)
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : ''
  const total = sum('passed') + sum('failed')
  process.stdout.write(`\n${total} tests in ${results.length} files and checks${skipped}, ${seconds(startedMs)}\n`)
  process.stdout.write(`${sum('passed')} passed, ${sum('failed')} failed\n`)
  process.exitCode = sum('failed') === 0 ? 0 : 1
}
