/**
 * JSON from the network against its schema. Whatever is wrong becomes `malformed`, with the place of the first fault in the
 * schema's own words: nothing of what was sent is in it. Schemas are compiled once, on first use.
 *
 * The library's own list of errors is not asked for: it looks at every item of a list that is wrong altogether, which takes
 * seconds and hundreds of megabytes for a body of 1 MiB that anybody can send.
 */
import { Ajv } from 'ajv'
import { AppError } from '../base/errors.js'
import type { Static, TSchema } from './schema.js'

/** Strict: a keyword that the validator does not know is a fault of ours; schemas are not checked against the schema of schemas,
 *  which would be compiled first. `ownProperties`: nothing is inherited. */
const validator = new Ajv({
  strict: true,
  meta: false,
  validateSchema: false,
  allowUnionTypes: true,
  ownProperties: true,
  messages: false,
  addUsedSchema: false,
})
const compiled = new WeakMap<TSchema, (value: unknown) => boolean>()

/** What of a schema leads to a place within it. */
interface Shape {
  properties?: Record<string, TSchema>
  required?: readonly string[]
  additionalProperties?: unknown
  /** Of every item, or of each item of a tuple. */
  items?: TSchema | TSchema[]
}

function fits(schema: TSchema, value: unknown): boolean {
  let checker = compiled.get(schema)
  if (checker === undefined) {
    checker = validator.compile(schema)
    compiled.set(schema, checker)
  }
  return checker(value)
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

/** For what is beyond the end of a tuple: its length is the fault. */
const ANYTHING: TSchema = {}

/** Down to the first part that does not fit although what is around it does; no deeper than the schema is. */
function firstFault(schema: TSchema, value: unknown, place: string): string {
  const { properties = {}, items } = schema as Shape
  if (items !== undefined && Array.isArray(value)) {
    const itemAt = (at: number) => (Array.isArray(items) ? items[at] : items)
    const at = value.findIndex((one, at) => !fits(itemAt(at) ?? ANYTHING, one))
    const item = itemAt(at)
    if (at >= 0 && item !== undefined) return firstFault(item, value[at], `${place}/${at}`)
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
