import { spawnSync } from 'node:child_process'
import t from 'tap'
import { commandLine } from '../../../src/app/cli.js'
import { firstScreen } from '../../../src/app/help.js'
import { verbs, wordOf } from '../../../src/app/verbs.js'

async function typed(...words: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const parts = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) } }
  const exitCode = await commandLine(words, parts)
  return { exitCode, out, err }
}

t.test('the first screen fits a terminal and names every verb', async (t) => {
  const lines = firstScreen('1.2.3').split('\n')
  t.ok(lines.length <= 40, `${lines.length} lines`)
  t.ok(lines.every((line) => line.length <= 100))
  for (const verb of verbs)
    t.ok(
      lines.some((line) => line.startsWith(`  ${wordOf(verb)} `)),
      wordOf(verb),
    )
  for (const words of [[], ['help'], ['--help'], ['-h']]) {
    const { exitCode, out } = await typed(...words)
    t.equal(exitCode, 0)
    t.match(out, /one private drive/)
  }
})

t.test('the version is said to people and to scripts', async (t) => {
  t.match((await typed('--version')).out, /^\d+\.\d+\.\d+\n$/)
  t.match(JSON.parse((await typed('--version', '--json')).out), { version: /^\d+\.\d+\.\d+$/ })
})

t.test('a wrong verb is an error of usage and names the one that was meant', async (t) => {
  for (const [wrong, meant] of [
    ['mont', 'mount'],
    ['statsu', 'status'],
    ['synk', 'sync'],
    ['upp', 'up'],
  ]) {
    const { exitCode, out, err } = await typed(wrong ?? '')
    t.equal(exitCode, 2)
    t.equal(out, '')
    t.match(err, new RegExp(`there is no command '${wrong}'[^]*did you mean: shardrive ${meant}\\n`))
  }
  const { exitCode, out } = await typed('--json', 'zzz')
  t.equal(exitCode, 2)
  t.match(JSON.parse(out), { error: { code: 'usage', exitCode: 2 } })
})

t.test('every verb explains itself with an example, and does nothing else', async (t) => {
  for (const verb of verbs) {
    const { exitCode, out, err } = await typed(wordOf(verb), '--help')
    t.equal(exitCode, 0, wordOf(verb))
    t.match(out, `shardrive ${wordOf(verb)}`)
    t.match(out, /--json/)
    t.match(out, /Examples:|Commands:/, `${wordOf(verb)} has an example or sub-commands`)
    t.equal(err, '')
  }
})

t.test('an unknown option is an error of usage, whatever the verb', async (t) => {
  for (const verb of verbs) {
    const { exitCode, err } = await typed(wordOf(verb), '--no-such-option')
    t.equal(exitCode, 2, wordOf(verb))
    t.match(err, /\[usage\]\n {2}what to do: shardrive \w+ --help/)
  }
})

t.test('a wait that no timer can hold is refused, and does not end at once', async (t) => {
  const { exitCode, err } = await typed('sync', '--timeout', '2147484')
  t.equal(exitCode, 2)
  t.match(err, /--timeout is a whole number from 1 to 2147483/)
})

t.test('as a program: help comes at once, exit codes reach the shell, a reader that leaves is no error', async (t) => {
  const shell = (command: string) => spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 20_000 })
  const startedMs = performance.now()
  t.equal(shell('node dist/main.js --help').status, 0)
  t.ok(performance.now() - startedMs < 2_000, 'even on a busy machine')
  t.equal(shell('node dist/main.js nothing').status, 2)
  t.equal(shell('dist/main.js --version').status, 0, 'it can be run by its name')
  const early = shell('(node dist/main.js --help; echo "left with $?" >&2) | head -c 1')
  t.equal(early.stdout, 'S')
  t.match(early.stderr, /^left with 0\n$/)
})
