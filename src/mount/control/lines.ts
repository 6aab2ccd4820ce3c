import type { Socket } from 'node:net'
import { AppError } from '../../base/errors.js'

/** A line of the control face is one JSON object; longer ones end the connection. */
export const LINE_BYTES_MAX = 1_048_576

/**
 * JSON lines of a socket as an async iterable. Ends with the connection; `malformed` for a line that is too long or no
 * JSON object.
 */
export async function* readLines(socket: Socket): AsyncGenerator<Record<string, unknown>> {
  let parts: Buffer[] = []
  let held = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let rest = chunk
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      parts.push(rest.subarray(0, at))
      rest = rest.subarray(at + 1)
      yield parse(Buffer.concat(parts).toString('utf8'))
      parts = []
      held = 0
    }
    held += rest.length
    if (held > LINE_BYTES_MAX) throw new AppError('malformed', 'control line too long')
    if (rest.length > 0) parts.push(rest)
  }
}

/** No message of ours is nested deeper; what is very deep can be parsed, and then overflows the stack of whoever writes it. */
const DEPTH_MAX = 32

function parse(line: string): Record<string, unknown> {
  if (isDeep(line)) throw new AppError('malformed', 'control line nested too deeply')
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new AppError('malformed', 'control line is not JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('malformed', 'control line is not an object')
  }
  return value as Record<string, unknown>
}

/** Brackets that are open at once, those inside strings left out. */
function isDeep(line: string): boolean {
  let depth = 0
  let isString = false
  for (let at = 0; at < line.length; at++) {
    const char = line[at]
    if (char === '"') isString = !isString
    else if (isString && char === '\\') at++
    else if (!isString && (char === '[' || char === '{')) depth++
    else if (!isString && (char === ']' || char === '}')) depth--
    if (depth > DEPTH_MAX) return true
  }
  return false
}

/** Who asks and does not read the answers is cut off. */
const UNREAD_BYTES_MAX = 4 * LINE_BYTES_MAX

export function writeLine(socket: Socket, value: object): void {
  if (socket.destroyed || !socket.writable) return
  if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy()
  else socket.write(`${JSON.stringify(value)}\n`)
}
