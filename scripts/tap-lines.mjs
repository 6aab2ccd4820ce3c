// What the runner needs of a test file's TAP: how many tests, and the words of those that failed.

/** A test = a top-level point of the file (a named t.test, or a bare assertion). */
export function countTap(out) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const line of out.split('\n')) {
    const point = /^(not )?ok \d+/.exec(line)
    if (point === null) continue
    if (/ # (skip|todo)/i.test(line)) counts.skipped++
    else if (point[1] === undefined) counts.passed++
    else counts.failed++
  }
  return counts
}

/** The failed points with their diagnostics; what passed is left out. */
export function failedLines(out) {
  const kept = []
  let inFailure = false
  for (const line of out.split('\n')) {
    const text = line.trimStart()
    if (/^not ok \d+/.test(text)) inFailure = true
    else if (/^(ok \d+|# Subtest|\d+\.\.\d+)/.test(text)) inFailure = false
    if (inFailure) kept.push(`         ${line}`)
  }
  return kept.slice(0, 200).join('\n')
}
