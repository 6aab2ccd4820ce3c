// `npm run test:long -- --hours H --seed S [--kills N]`: the crash tests again and again for H hours, and until there were N kills, each
// time with another seed. What they found is in bench/results/crash-S-COMMIT.json after every round; the same command goes on where it
// was cut short, by whatever: a round that did not come to its end is begun again, and what it left running or mounted is taken away.
//
// A round is a test file with its own SEED: 84 kills of a drive without a network, some twenty of one that publishes, sixty
// losses of power, a few of a process that makes an account. What a round found is shown with the command that repeats it, and does
// not end the hours.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { root, SetupFailure, say } from './steps/console.mjs'
import { clearRunFolder, makeRunFolder } from './steps/leftovers.mjs'

const rounds = ['kill-drive', 'power-loss', 'kill-publishing', 'kill-drive', 'create-drive', 'kill-publishing']
const results = path.join(root, 'bench/results')
/** Ten times what a round takes on a quiet machine: one that hangs is named. */
const roundMs = 900_000
/** Of one seed; more rounds of one kind would begin the next seed's. */
const roundsMax = 1_000_000
const head = '| failpoint | work | kills | at it | losses | findings |\n| --- | --- | --- | --- | --- | --- |'

export async function crashFor(words) {
  const { hours, seed, kills } = settingsOf(words)
  const commit = commitNow()
  const file = path.join(results, `crash-${seed}-${commit}.json`)
  fs.mkdirSync(results, { recursive: true })
  const state = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : fresh(seed, commit)
  takeUp(state)
  while (state.seconds < hours * 3_600 || sumOf(state.rows, 'kills') < kills) await takeRound(state, file)
  const missed = await missedOf(state.rows)
  say(tableOf(state))
  if (missed.length > 0) say(`never killed at: ${missed.join(', ')}`)
  say(
    `${state.rounds} rounds, ${sumOf(state.rows, 'kills')} kills, ${state.moments} losses of power, ${state.found.length} with something found; ${path.relative(root, file)}`,
  )
  process.exitCode = state.found.length === 0 ? 0 : 1
}

function settingsOf(words) {
  const text = (value) => ({ type: 'string', default: value })
  const { values } = parseArgs({ args: words, options: { hours: text('1'), seed: text('1'), kills: text('0') } })
  const [hours, seed, kills] = [values.hours, values.seed, values.kills].map(Number)
  if (!(hours >= 0) || !Number.isSafeInteger(seed * roundsMax) || !(kills >= 0) || hours + kills === 0)
    throw new SetupFailure('--hours, --seed and --kills are numbers', '--hours 8 --seed 1')
  return { hours, seed, kills }
}

/** What is not committed yet is another program than the commit's. */
function commitNow() {
  const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim()
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
  return `${git('rev-parse', '--short=10', 'HEAD')}${isChanged ? '-changed' : ''}`
}

function fresh(seed, commit) {
  const counts = { seconds: 0, rounds: 0, moments: 0 }
  return { seed, commit, startedAt: new Date().toISOString(), ...counts, underway: null, rows: [], found: [] }
}

/** Ends what a run that was killed has left. */
function takeUp(state) {
  const { underway, rounds: done } = state
  if (underway === null) return
  if (isRun(underway.pid)) throw new SetupFailure(`process ${underway.pid} is at these hours`, 'let it end, or end it')
  const left = fs.existsSync(underway.folder) ? clearRunFolder(underway.folder) : []
  say(`round ${done + 1} was cut short and is begun again; ${left.length} things of it were still there`)
}

function isRun(pid) {
  const words = fs.existsSync(`/proc/${pid}/cmdline`) ? fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
  return words.includes('--hours') || words.includes('--kills')
}

/** Whole or not at all: it is read again when the hours are cut short. */
function save(file, state) {
  fs.writeFileSync(`${file}.draft`, `${JSON.stringify(state, null, 2)}\n`)
  fs.renameSync(`${file}.draft`, file)
}

async function takeRound(state, file) {
  const startedMs = performance.now()
  const name = rounds[state.rounds % rounds.length]
  // Rounds of one kind have seeds in a row: some take their failpoints in turn by it.
  const turn = Array.from({ length: state.rounds }, (_, at) => rounds[at % rounds.length]).filter((one) => one === name)
  const seed = state.seed * roundsMax + turn.length
  const folder = makeRunFolder()
  state.underway = { pid: process.pid, folder }
  save(file, state)
  const ran = await runRound(name, seed, folder)
  const left = clearRunFolder(folder)
  state.underway = null
  state.rounds++
  for (const row of rowsOf(ran.said)) addRow(state.rows, row)
  state.moments += Number(/# \d+ calls, (\d+) moments/.exec(ran.said)?.[1] ?? 0)
  state.seconds += (performance.now() - startedMs) / 1_000
  const isOk = ran.end === 0 && left.length === 0
  say(
    `round ${state.rounds}: ${name}, seed ${seed}: ${isOk ? 'ok' : 'NOT OK'}; ${sumOf(state.rows, 'kills')} kills, ${state.moments} moments`,
  )
  if (!isOk) {
    const again = `SEED=${seed} npm run t -- test/crash/${name}.test.ts`
    const wrong = ran.said.split('\n').filter((line) => /not ok/.test(line))
    say(`${[...wrong, ...left.map((one) => `left: ${one}`)].join('\n')}\nagain: ${again}`)
    state.found.push({ round: state.rounds, again, end: ran.end, left, said: ran.said.slice(-20_000) })
  }
  save(file, state)
}

/** In a process group of its own, which ends with us unless we are killed ourselves. */
function runRound(name, seed, folder) {
  const script = `dist-test/test/crash/${name}.test.js`
  const env = {
    ...process.env,
    TMPDIR: folder,
    SEED: String(seed),
    TAP: '1',
    TAP_TIMEOUT: String(roundMs / 1_000 - 10),
  }
  const child = spawn(process.execPath, ['--enable-source-maps', script], {
    ...{ cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
  })
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // All of them have ended.
    }
  }
  const cutShort = (signal) => {
    kill()
    clearRunFolder(folder)
    say(`cut short by ${signal}: the same command goes on with this round`)
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, cutShort)
  const late = setTimeout(kill, roundMs)
  let said = ''
  child.stdout.on('data', (text) => (said += text))
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(late)
      for (const one of signals) process.off(one, cutShort)
      resolve({ end: code ?? signal, said })
    })
  })
}

/** Of the table that a test says in comments. */
function rowsOf(said) {
  const cells = said.split('\n').filter((line) => /^ *# \| (?:any|\w+\.)/.test(line))
  return cells.map((line) => {
    const [, point, work, kills, hits, losses, findings] = line.split('|').map((one) => one.trim())
    return { point, work, kills: Number(kills), hits: Number(hits), losses: Number(losses), findings: Number(findings) }
  })
}

function addRow(rows, row) {
  const known = rows.find(({ point, work }) => point === row.point && work === row.work)
  if (known === undefined) rows.push(row)
  else for (const what of ['kills', 'hits', 'losses', 'findings']) known[what] += row[what]
}

function sumOf(rows, what) {
  return rows.reduce((total, row) => total + row[what], 0)
}

/** Failpoints that nothing has died at. */
async function missedOf(rows) {
  const { allPoints } = await import(path.join(root, 'dist-test/test/support/crash-points.js'))
  const hit = new Set(rows.filter(({ hits }) => hits > 0).map(({ point }) => point))
  return allPoints().filter((name) => !hit.has(name))
}

function tableOf({ rows }) {
  const sorted = [...rows].sort((a, b) => (`${a.point} ${a.work}` < `${b.point} ${b.work}` ? -1 : 1))
  const counts = ['kills', 'hits', 'losses', 'findings'].map((what) => [what, sumOf(rows, what)])
  const all = { point: 'all', work: '', ...Object.fromEntries(counts) }
  const lines = [...sorted, all].map((row) => `| ${Object.values(row).join(' | ')} |`)
  return [head, ...lines].join('\n')
}
