/**
 * How commands speak. For people: short lines on stdout, remarks and progress on stderr. With `--json`: exactly one
 * JSON object on stdout (an `up` or a long watch may print more, one a line), and nothing else there; a failure is
 * `{"error": {...}}`. Errors say what happened, why, and what to do.
 *
 * Text may come from a bridge or a host: control characters never reach the terminal.
 */
import { AppError, type Retry } from '../base/errors.js'
import { adviceFor } from './advice.js'
import { type ExitCode, exitCodeFor, exitCodes } from './exit-codes.js'
import { formatBytes } from './numbers.js'
import { type Outlet, openProgress, type Progress, silentProgress } from './progress.js'

export interface TerminalParts {
  readonly out: Outlet
  readonly err: Outlet
}

export interface ErrorReport {
  readonly code: string
  readonly message: string
  readonly exitCode: number
  readonly why?: string
  readonly hint?: string
  readonly retry?: Retry
  readonly details?: AppError['details']
}

/** Home, and clear what is below: what stood there is written over. */
const CLEAR_SCREEN = '\u001b[H\u001b[J'

export class Terminal {
  readonly json: boolean
  private readonly parts: TerminalParts
  private shown = ''

  constructor(parts: TerminalParts, options: { json: boolean }) {
    this.parts = parts
    this.json = options.json
  }

  /** Progress in words, for people: stdout without `--json`, nowhere with it. */
  say(line: string): void {
    if (!this.json) this.parts.out.write(`${printable(line)}\n`)
  }

  /** Something the reader should know although the command goes on: always stderr. */
  warn(line: string): void {
    this.parts.err.write(`${printable(line)}\n`)
  }

  /** The result: the object with `--json`, the text otherwise. */
  result(facts: object, text: string | readonly string[]): void {
    if (this.json) this.parts.out.write(`${JSON.stringify(facts)}\n`)
    else for (const line of typeof text === 'string' ? [text] : text) this.say(line)
  }

  /** What a watch shows now: over what it showed before on a terminal, below it elsewhere, and not again while it stays the same. */
  show(facts: object, lines: readonly string[]): void {
    const text = this.json ? JSON.stringify(facts) : lines.map(printable).join('\n')
    if (text === this.shown) return
    const isFirst = this.shown === ''
    this.shown = text
    if (this.json) this.parts.out.write(`${text}\n`)
    else if (this.parts.out.isTTY === true) this.parts.out.write(`${CLEAR_SCREEN}${text}\n`)
    else this.parts.out.write(`${isFirst ? '' : '\n'}${text}\n`)
  }

  /** A bar on a terminal, a line now and then otherwise, nothing with `--json`. `total` in bytes, unless `format` says otherwise.
   *  Always `stop()` it. */
  async progress(label: string, total: number, format = formatBytes): Promise<Progress> {
    return this.json ? silentProgress : await openProgress(this.parts.err, { label, total, format })
  }

  /** Tells of a failure and returns the exit code that goes with it. */
  fail(error: unknown, exitCode: ExitCode = exitCodeFor(error)): ExitCode {
    const report = { ...reportOf(error), exitCode }
    if (this.json) this.parts.out.write(`${JSON.stringify({ error: report })}\n`)
    else for (const line of linesOf(report)) this.parts.err.write(`${printable(line)}\n`)
    if (!(error instanceof AppError)) this.parts.err.write(`${printable(stackOf(error))}\n`)
    return report.exitCode
  }
}

/** A failure as facts. Something unforeseen is named `bug`: its stack goes to stderr beside this. */
export function reportOf(error: unknown): ErrorReport {
  if (!(error instanceof AppError)) {
    const message = error instanceof Error ? error.message : String(error)
    return {
      code: 'bug',
      message: `something happened that should not: ${message}`,
      exitCode: exitCodes.bug,
      hint: 'this is a bug in shardrive: please report the lines below, and what you did before',
    }
  }
  const why = whyOf(error)
  const hint = error.hint ?? adviceFor(error.code)
  return {
    code: error.code,
    message: error.message,
    exitCode: exitCodeFor(error),
    retry: error.retry,
    ...(why === undefined ? {} : { why }),
    ...(hint === undefined ? {} : { hint }),
    ...(error.details === undefined ? {} : { details: error.details }),
  }
}

function linesOf(report: ErrorReport): string[] {
  const lines = [`error: ${report.message} [${report.code}]`]
  if (report.why !== undefined) lines.push(`  why: ${report.why}`)
  if (report.hint !== undefined) lines.push(`  what to do: ${report.hint}`)
  else if (report.retry === 'later') lines.push('  what to do: try again later')
  return lines
}

/** The chain of causes in one line; a cause that repeats what is already said is left out. */
function whyOf(error: AppError): string | undefined {
  const reasons: string[] = []
  let cause = error.cause
  for (let depth = 0; cause instanceof Error && depth < 5; depth++) {
    const reason = cause.message
    if (reason !== '' && ![error.message, ...reasons].some((said) => said.includes(reason))) reasons.push(reason)
    cause = cause.cause
  }
  return reasons.length === 0 ? undefined : reasons.join('; ')
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Keeps line breaks and tabs; shows every other control character (also the C1 ones) as its code. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
