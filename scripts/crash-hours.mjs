// `npm run test:long -- --hours H --seed S`: the crash tests again and again for H hours, each time with the next seed. What they
// found is in bench/results/crash-S-COMMIT.json after every round; the same command goes on where it was cut short.
//
// A round is a test file with its own SEED: 84 kills of a drive without a network, some twenty of one that publishes, sixty
// losses of power. What a round found is shown with the command that repeats it, and does not end the hours.
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { tapTimeoutOf } from './one-test.mjs'
import { root, SetupFailure, say } from './steps/console.mjs'

const rounds = ['kill-drive', 'power-loss', 'kill-drive', 'kill-publishing']
const results = path.join(root, 'bench/results')
const roundMs = 600_000
const head = '| failpoint | work | kills | at it | losses | findings |\n| --- | --- | --- | --- | --- | --- |'

export function crashFor(words) {
  const options = { hours: { type: 'string', default: '1' }, seed: { type: 'string', default: '1' } }
  const { values } = parseArgs({ args: words, options })
  const hours = Number(values.hours)
  const seed = Number(values.seed)
  if (!(hours > 0) || !Number.isSafeInteger(seed))
    throw new SetupFailure('--hours and --seed are numbers', '--hours 8 --seed 1')
  const commit = execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  const file = path.join(results, `crash-${seed}-${commit}.json`)
  const state = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : fresh(seed, commit)
  fs.mkdirSync(results, { recursive: true })
  while (state.seconds < hours * 3_600) {
    const startedMs = performance.now()
    takeRound(state)
    state.seconds += (performance.now() - startedMs) / 1_000
    // Whole or not at all: it is read again when the hours are cut short.
    fs.writeFileSync(`${file}.draft`, `${JSON.stringify(state, null, 2)}\n`)
    fs.renameSync(`${file}.draft`, file)
  }
  say(tableOf(state))
  say(`${state.rounds} rounds, ${state.found.length} with something found; ${path.relative(root, file)}`)
  process.exitCode = state.found.length === 0 ? 0 : 1
}

function fresh(seed, commit) {
  return { seed, commit, startedAt: new Date().toISOString(), seconds: 0, rounds: 0, rows: [], moments: 0, found: [] }
}

function takeRound(state) {
  const name = rounds[state.rounds % rounds.length]
  const seed = state.seed * 1_000_000 + state.rounds
  const script = `dist-test/test/crash/${name}.test.js`
  const ran = spawnSync(process.execPath, ['--enable-source-maps', script], {
    ...{ cwd: root, encoding: 'utf8', timeout: roundMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 28 },
    env: { ...process.env, SEED: String(seed), TAP: '1', TAP_TIMEOUT: tapTimeoutOf(script) },
  })
  state.rounds++
  for (const row of rowsOf(ran.stdout)) addRow(state.rows, row)
  state.moments += Number(/# \d+ calls, (\d+) moments/.exec(ran.stdout)?.[1] ?? 0)
  const kills = state.rows.reduce((sum, row) => sum + row.kills, 0)
  say(
    `round ${state.rounds}: ${name}, seed ${seed}: ${ran.status === 0 ? 'ok' : 'NOT OK'}; ${kills} kills, ${state.moments} moments`,
  )
  if (ran.status === 0) return
  const again = `SEED=${seed} npm run t -- test/crash/${name}.test.ts`
  say(
    `${ran.stdout
      .split('\n')
      .filter((line) => /not ok/.test(line))
      .join('\n')}\nagain: ${again}`,
  )
  state.found.push({ round: state.rounds, again, end: ran.status ?? ran.signal, said: ran.stdout.slice(-20_000) })
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

function tableOf({ rows }) {
  const sorted = [...rows].sort((a, b) => (`${a.point} ${a.work}` < `${b.point} ${b.work}` ? -1 : 1))
  const sum = (what) => rows.reduce((total, row) => total + row[what], 0)
  const all = {
    point: 'all',
    work: '',
    kills: sum('kills'),
    hits: sum('hits'),
    losses: sum('losses'),
    findings: sum('findings'),
  }
  const lines = [...sorted, all].map((row) => `| ${Object.values(row).join(' | ')} |`)
  return [head, ...lines].join('\n')
}
