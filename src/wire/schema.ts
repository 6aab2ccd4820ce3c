/**
 * Schemas of JSON: typebox's constructors and types over plain JSON Schema. At run time nothing of typebox is loaded: it is 500
 * files, and every command of the command line would wait 0.4 s for them (docs/adr/0009-schemas-without-the-builder.md).
 */
import type Library from 'typebox'
import type { Static, TProperties, TSchema } from 'typebox'

export type { Static, TProperties, TSchema }

type Constructors = Pick<
  typeof Library,
  | 'Array'
  | 'Boolean'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Tuple'
  | 'Union'
>
type Json = Record<string | symbol, unknown>

/** A property that may be absent; on the schema itself, where the validator does not look. */
const OPTIONAL = Symbol('optional')

const of =
  (type: string) =>
  (options: Json = {}): Json => ({ type, ...options })

function object(properties: Record<string, Json>, options: Json = {}): Json {
  const required = Object.keys(properties).filter((name) => properties[name]?.[OPTIONAL] !== true)
  return { type: 'object', required, properties, ...options }
}

function tuple(items: Json[]): Json {
  return { type: 'array', items, minItems: items.length, additionalItems: false }
}

function record(key: Json, value: Json, options: Json = {}): Json {
  return { type: 'object', patternProperties: { [String(key.pattern ?? '')]: value }, ...options }
}

export const Type = {
  Array: (items: Json, options: Json = {}) => ({ type: 'array', items, ...options }),
  Boolean: of('boolean'),
  Integer: of('integer'),
  Literal: (value: unknown) => ({ const: value }),
  Null: of('null'),
  Number: of('number'),
  Object: object,
  Optional: (schema: Json) => ({ ...schema, [OPTIONAL]: true }),
  Record: record,
  String: of('string'),
  Tuple: tuple,
  Union: (anyOf: Json[]) => ({ anyOf }),
} as unknown as Constructors

/** An object with these properties and no others. */
export const closed = <T extends TProperties>(properties: T) => Type.Object(properties, { additionalProperties: false })
