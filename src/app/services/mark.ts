/**
 * The last line of every file that `service install` writes: what it is for, and a hash of that and of all before it. A file without it, or
 * with another hash, belongs to somebody else or was changed by hand: it is never overwritten or removed.
 */
import { createHash } from 'node:crypto'
import { isCode } from '../../base/errors.js'
import { decodeJson } from '../../wire/check.js'
import { type Static, Type } from '../../wire/schema.js'

const Facts = Type.Object(
  {
    kind: Type.Union([Type.Literal('host'), Type.Literal('bridge'), Type.Literal('mount')]),
    scope: Type.Union([Type.Literal('user'), Type.Literal('system')]),
    unit: Type.String({ pattern: '^(?:shardrive|io\\.shardrive)[A-Za-z0-9@:_.\\\\-]*$', maxLength: 512 }),
    /** Where its data is. */
    dir: Type.String({ minLength: 1, maxLength: 4_096 }),
  },
  { additionalProperties: false },
)
export type MarkFacts = Static<typeof Facts>

const WORD = 'shardrive-service'
const pattern = new RegExp(`\\n(?:#|<!--) ${WORD} (\\{.*\\}) sha256 [0-9a-f]{64}(?: -->)?\\n$`)

/** `text` ends with a line end. */
export function marked(text: string, facts: MarkFacts): string {
  // Two minus signs would end a comment of XML.
  const json = JSON.stringify(facts).replaceAll('--', '-\\u002d')
  const hash = createHash('sha256').update(text).update(json).digest('hex')
  const said = `${WORD} ${json} sha256 ${hash}`
  return `${text}${text.startsWith('<?xml') ? `<!-- ${said} -->` : `# ${said}`}\n`
}

/** Null: not ours, or not as we wrote it. The hash is against accidents: whoever means to can make another. */
export function readMark(content: string): MarkFacts | null {
  const found = pattern.exec(content)
  if (found === null) return null
  try {
    const facts = decodeJson(Facts, found[1] as string, 'the last line')
    return marked(content.slice(0, found.index + 1), facts) === content ? facts : null
  } catch (error) {
    if (isCode(error, 'malformed')) return null
    throw error
  }
}
