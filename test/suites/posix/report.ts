/** A run of the suite as points of TAP: one a case that held, one a line that did not. */
import type { Test } from 'tap'
import type { CaseResult, Deviation, SuiteRun } from './suite.js'

/** It only grows. */
const EXPECTATIONS_MIN = 7_000

export function report(t: Test, run: SuiteRun, deviations: readonly Deviation[]): void {
  for (const one of run.results) reportCase(t, one)
  for (const deviation of deviations) {
    const shows = run.results.some((one) => one.deviates === deviation && one.failures.length > 0)
    t.ok(shows, `${deviation.clause} is named as a deviation (${deviation.why}), and is one`)
  }
  t.comment(run.summary())
  t.ok(run.passed >= EXPECTATIONS_MIN, `${run.summary()}: at least ${EXPECTATIONS_MIN} hold`)
}

function reportCase(t: Test, { family, clause, name, passed, failures, deviates }: CaseResult): void {
  const title = `${clause} ${family}: ${name}`
  if (failures.length === 0) t.pass(`${title} (${passed})`)
  else if (deviates !== undefined) t.pass(`${title}: ${failures.length} deviate, ${deviates.why}`)
  else for (const line of failures) t.fail(`${title}: ${line}`)
}
