/** Questions to a person on a terminal: one line each, with a default and a check. Answers are no secrets (secret-input.ts). */
import { createInterface, type Interface } from 'node:readline'
import { AppError, isCode } from '../base/errors.js'

export interface Question<T> {
  ask: string
  /** One line: what it is for. */
  explain: string
  /** What an empty line means; undefined: it must be answered. */
  byDefault?: string
  /** `usage` for what is no answer: it is asked again. */
  check(text: string): T | Promise<T>
}

/** Somebody, or something, that answers nonsense. */
const ATTEMPTS = 20

export class Questions {
  private readonly lines: Interface
  private readonly typed: AsyncIterator<string>

  constructor() {
    this.lines = createInterface({ input: process.stdin, output: process.stderr })
    // Each line is kept until it is asked for: what is pasted at once answers all questions.
    this.typed = this.lines[Symbol.asyncIterator]()
    this.lines.on('SIGINT', () => this.lines.close())
  }

  async ask<T>(question: Question<T>): Promise<T> {
    const { ask, explain, byDefault, check } = question
    process.stderr.write(`\n${explain}\n`)
    for (let attempt = 1; ; attempt++) {
      process.stderr.write(byDefault === undefined ? `${ask}: ` : `${ask} [${byDefault}]: `)
      const { value, done } = await this.typed.next()
      if (done) throw new AppError('interrupted', 'stopped: nothing was made')
      const text = String(value).trim() || byDefault
      try {
        if (text !== undefined) return await check(text)
      } catch (error) {
        if (!isCode(error, 'usage') || attempt >= ATTEMPTS) throw error
        const { message, hint } = error as AppError
        process.stderr.write(`  ${message}${hint === undefined ? '' : ` (${hint})`}\n`)
      }
    }
  }

  async confirm(ask: string): Promise<boolean> {
    const check = (text: string) => {
      if (/^y(es)?$/i.test(text)) return true
      if (/^no?$/i.test(text)) return false
      throw new AppError('usage', 'yes or no?')
    }
    return this.ask({ ask, explain: '', byDefault: 'yes', check })
  }

  close(): void {
    this.lines.close()
  }
}
