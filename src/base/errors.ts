/**
 * Expected failures. Every one carries a stable `code` (kebab-case, documented in docs/errors.md), says whether
 * trying again can help, and may carry a hint: what a person can do about it. Messages never hold secrets or
 * plaintext names. A broken belief is not an AppError: see assert.ts.
 */
export type Retry = 'never' | 'later' | 'elsewhere'

export interface AppErrorOptions {
  retry?: Retry
  hint?: string
  cause?: unknown
  /** Machine-readable facts for logs and `--json`; no secrets, no plaintext names. */
  details?: Record<string, string | number | boolean>
}

export class AppError extends Error {
  readonly code: string
  readonly retry: Retry
  readonly hint: string | undefined
  readonly details: Record<string, string | number | boolean> | undefined

  constructor(code: string, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.retry = options.retry ?? 'never'
    this.hint = options.hint
    this.details = options.details
  }
}

/** The code of an expected failure, or 'internal' for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'internal'
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof AppError && error.code === code
}
