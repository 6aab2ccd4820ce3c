/**
 * Starts planet-child, and hears what it says. In a process of its own because the test's follows every promise there is
 * (async_hooks), which doubles what a network that consists of promises costs.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { foundTooLate, tableOf, type YearOptions, type YearResult } from './planet-year.js'
import { scratchFolder } from './scratch-folder.js'

export async function forkYear(t: Test, options: Omit<YearOptions, 'say'>): Promise<YearResult> {
  const { folder, remove } = scratchFolder()
  const child = fork(new URL('./planet-child.js', import.meta.url), [folder, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  t.teardown(() => {
    child.kill('SIGKILL')
    remove()
  })
  const startMs = performance.now()
  let result: YearResult | null = null
  child.on('message', (message: { line?: string; result?: YearResult }) => {
    if (message.line !== undefined) t.comment(`${Math.round((performance.now() - startMs) / 1_000)} s: ${message.line}`)
    result = message.result ?? result
  })
  const [code, signal] = await once(child, 'exit')
  if (result === null) throw new Error(`the planet ended with ${code ?? signal}`)
  return result
}

/** What is true of every planet; the table of who was found when is printed. */
export function checkYears(t: Test, results: readonly YearResult[]): void {
  for (const line of tableOf(results)) t.comment(line)
  for (const result of results) {
    const { found: _found, seed, ...facts } = result
    t.comment(`seed ${seed}: ${JSON.stringify(facts)}`)
    t.equal(result.lost, 0, `no segment is lost (seed ${seed})`)
    t.equal(result.uncollected, 0, 'what was retired is gone after its time')
    t.equal(result.honestRemoved, 0, 'nobody honest is removed')
    t.equal(result.honestSuspended, 0, 'nor suspended')
    t.equal(result.freezes, 0, 'one party that fails together is one')
    t.ok(result.moved > 0, 'repair moved shards')
    t.same(foundTooLate(result), [], 'each kind that can be found is found in time')
  }
}
