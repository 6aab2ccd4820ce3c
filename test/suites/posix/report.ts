/** A run of the suite as points of TAP: one a case that held, one a line that did not. */
import type { Test } from 'tap'
import type { CaseResult, Deviation, SuiteRun } from './suite.js'

/** It only grows. */
const EXPECTATIONS_MIN = 7_000

/** `heldMin`: so many hold, lest a list of deviations hides that more and more of its cases fails. */
export function report(
  t: Test,
  run: SuiteRun,
  deviations: readonly Deviation[],
  heldMin: number = EXPECTATIONS_MIN,
): void {
  for (const one of run.results) reportCase(t, one)
  for (const deviation of deviations) reportDeviation(t, run, deviation)
  t.comment(run.summary())
  t.ok(run.passed >= heldMin, `${run.summary()}: at least ${heldMin} hold`)
}

/** Each case that it names, or some of its clause. */
function reportDeviation(t: Test, run: SuiteRun, deviation: Deviation): void {
  const shown = run.results.filter((one) => one.deviates === deviation && one.failures.length > 0)
  const { clause, cases, why } = deviation
  if (deviation.sometimes === true) return
  if (cases === undefined) t.ok(shown.length > 0, `${clause} is named as a deviation (${why}), and is one`)
  for (const name of cases ?? []) {
    t.ok(
      shown.some((one) => one.name === name),
      `${clause} "${name}" is named as a deviation (${why}), and is one`,
    )
  }
}

function reportCase(t: Test, { family, clause, name, passed, failures, deviates }: CaseResult): void {
  const title = `${clause} ${family}: ${name}`
  if (failures.length === 0) t.pass(`${title} (${passed})`)
  else if (deviates !== undefined) t.pass(`${title}: ${failures.length} deviate, ${deviates.why}`)
  else for (const line of failures) t.fail(`${title}: ${line}`)
}
