/**
 * JSON from the network against its schema. Whatever is wrong becomes `malformed`, with the place of the first fault in the
 * schema's own words: nothing of what was sent is in it. Schemas are compiled once, on first use.
 *
 * The library's own list of errors is not asked for: it looks at every item of a list that is wrong altogether, which takes
 * seconds and hundreds of megabytes for a body of 1 MiB that anybody can send.
 */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { AppError } from '../base/errors.js'

interface Compiled {
  Check(value: unknown): boolean
}
const compiled = new WeakMap<TSchema, Compiled>()

/** What of a schema leads to a place within it. */
interface Shape {
  properties?: Record<string, TSchema>
  required?: readonly string[]
  additionalProperties?: unknown
  items?: TSchema
}

function fits(schema: TSchema, value: unknown): boolean {
  let checker = compiled.get(schema)
  if (checker === undefined) {
    checker = Compile(schema) as unknown as Compiled
    compiled.set(schema, checker)
  }
  return checker.Check(value)
}

/** The value, typed, when it fits the schema; otherwise `malformed`. */
export function checkValue<T extends TSchema>(schema: T, value: unknown, what: string): Static<T> {
  if (fits(schema, value)) return value as Static<T>
  throw new AppError('malformed', `${what}: ${firstFault(schema, value, '')}`)
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

/** Down to the first part that does not fit although what is around it does; no deeper than the schema is. */
function firstFault(schema: TSchema, value: unknown, place: string): string {
  const { properties = {}, items } = schema as Shape
  if (items !== undefined && Array.isArray(value)) {
    const at = value.findIndex((one) => !fits(items, one))
    if (at >= 0) return firstFault(items, value[at], `${place}/${at}`)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, one] of Object.entries(properties)) {
      if (!Object.hasOwn(value, name)) continue
      const part = (value as Record<string, unknown>)[name]
      if (!fits(one, part)) return firstFault(one, part, `${place}/${name}`)
    }
  }
  return `${place || 'the body'} ${faultHere(schema, value)}`
}

function faultHere(schema: TSchema, value: unknown): string {
  const { properties, required = [], additionalProperties } = schema as Shape
  if (properties === undefined || typeof value !== 'object' || value === null) return 'is not what it may be'
  const missing = required.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) return `lacks ${missing}`
  return additionalProperties === false ? 'has more members than it may' : 'is not what it may be'
}
