/** A log that keeps what it is told, every level of it. */
import { pino } from 'pino'
import type { Log } from '../../src/base/log.js'

export function capturedLog(): { log: Log; text(): string } {
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  return { log, text: () => lines.join('') }
}
