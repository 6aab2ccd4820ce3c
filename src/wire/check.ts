/**
 * JSON from the network against its schema. Whatever is wrong becomes `malformed`, with the place of the first fault
 * and never its content. Schemas are compiled once, on first use.
 */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { AppError } from '../base/errors.js'

interface Compiled {
  Check(value: unknown): boolean
  Errors(value: unknown): { instancePath: string; message: string }[]
}
const compiled = new WeakMap<TSchema, Compiled>()

function compiledOf(schema: TSchema): Compiled {
  const known = compiled.get(schema)
  if (known) return known
  const made = Compile(schema) as unknown as Compiled
  compiled.set(schema, made)
  return made
}

/** The value, typed, when it fits the schema; otherwise `malformed`. */
export function checkValue<T extends TSchema>(schema: T, value: unknown, what: string): Static<T> {
  const checker = compiledOf(schema)
  if (checker.Check(value)) return value as Static<T>
  const first = checker.Errors(value)[0]
  throw new AppError(
    'malformed',
    `${what}: ${first ? `${first.instancePath || 'body'} ${first.message}` : 'does not fit'}`,
  )
}

/** Bytes or text -> JSON -> schema. The caller has bounded the size. */
export function decodeJson<T extends TSchema>(schema: T, text: Uint8Array | string, what: string): Static<T> {
  let value: unknown
  try {
    value = JSON.parse(
      typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8'),
    )
  } catch {
    throw new AppError('malformed', `${what}: not JSON`)
  }
  return checkValue(schema, value, what)
}
