/**
 * JSON as an enemy would send it: a sound value with a member of another type, missing, twice, or named like a part of every
 * object; numbers that are none, or too many; strings that are no text; deep, long, cut short. It is built as text, because most
 * of that no JavaScript value can say.
 */
import type { Dice } from './dice.js'
import { mutate } from './mutate.js'

/** An object keeps its members as a list: the same name may come twice. A string is JSON as it will stand there. */
type Node = string | { list: Node[] } | { members: [name: string, value: Node][] }

const HEX_64 = 'ab'.repeat(32)
const NUMBERS = ['-1', '-0', '0', '1', '1.5', '255', '65536', '4294967295', '4294967296', '9007199254740991']
const FAR_NUMBERS = [
  '9007199254740992',
  '18446744073709551616',
  '1e300',
  '1e400',
  '-1e400',
  '1e-400',
  '-9007199254740992',
]
const NO_NUMBERS = ['NaN', 'Infinity', '0x10', '01', '+1', '1.', '.5', '--1', 'undefined']
const STRINGS = ['""', '"x"', '"\\u0000"', '"\\ud800"', '"a\\u0000b"', '"\\u202e"', '"__proto__"', "'x'", `"${HEX_64}"`]
const MORE_STRINGS = [
  `"${HEX_64.toUpperCase()}"`,
  '"../../etc/passwd"',
  '"%s%n"',
  '"\\n\\r\\u001b[2J"',
  '"\u00e9"',
  '"1"',
]
const WHOLES = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"__proto__":{}}',
  '{"constructor":{"prototype":{}}}',
]
const EDGES = [...NUMBERS, ...FAR_NUMBERS, ...NO_NUMBERS, ...STRINGS, ...MORE_STRINGS, ...WHOLES]
const NAMES = [
  'extra',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  '\u0000',
  'length',
  'then',
]
/** Bytes that are no UTF-8: a lone continuation, a long form, half a pair, a code beyond the last. */
const NO_TEXT = ['ff', 'c080', 'eda080', 'f4908080', 'e282', '80'].map((hex) => Buffer.from(hex, 'hex'))

/** Deep enough for a recursion to end badly; how often, because it is slow. */
const DEEP = 20_000
const LONG = 100_000
const SLOW_ODDS = 150
/** Of a list that is too long. */
const FEW_CHARS = 20_000
const MANY_CHARS = 1_000_000

/** Text that differs from JSON.stringify(original) mostly; that it is JSON is not promised. */
export function mutateJson(dice: Dice, original: unknown): Buffer {
  const way = dice.roll(0, 9)
  if (way === 0) return mutate(dice, Buffer.from(JSON.stringify(original)))
  const text = Buffer.from(write(damage(dice, read(original))))
  return way === 1 ? spoilText(dice, text) : text
}

function read(value: unknown): Node {
  if (Array.isArray(value)) return { list: value.map(read) }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const said = Object.entries(value).filter(([, one]) => one !== undefined)
  return { members: said.map(([name, one]) => [name, read(one)]) }
}

function write(node: Node): string {
  if (typeof node === 'string') return node
  if ('list' in node) return `[${node.list.map(write).join(',')}]`
  return `{${node.members.map(([name, one]) => `${JSON.stringify(name)}:${write(one)}`).join(',')}}`
}

function edge(dice: Dice): Node {
  if (dice.roll(1, SLOW_ODDS) > 1) return dice.pick(EDGES)
  const [open, close] = dice.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ]) as [string, string]
  return dice.pick([`${open.repeat(DEEP)}1${close.repeat(DEEP)}`, open.repeat(DEEP), `"${'x'.repeat(LONG)}"`])
}

/** Changes one place: walks down until it is there. */
function damage(dice: Dice, node: Node): Node {
  if (typeof node === 'string') return damageScalar(dice, node)
  const size = 'list' in node ? node.list.length : node.members.length
  if (size === 0 || dice.roll(0, 9) === 0) return edge(dice)
  return 'list' in node ? damageList(dice, node.list) : damageMembers(dice, node.members)
}

function damageScalar(dice: Dice, text: string): Node {
  if (dice.roll(0, 2) > 0) return edge(dice)
  if (!text.startsWith('"'))
    return dice.pick([`-${text}`, `${text}0`, `${text}.0`, `${text}e1`, `"${text}"`, `[${text}]`])
  const at = dice.roll(1, Math.max(1, text.length - 2))
  const middle = dice.pick(['', '0', 'g', 'G', '\u00e9', '\\n', '\\u0000', ' ', text.slice(1, -1)])
  return `${text.slice(0, at)}${middle}${text.slice(at + 1)}`
}

function damageList(dice: Dice, list: Node[]): Node {
  const at = dice.roll(0, list.length - 1)
  const way = dice.roll(0, 5)
  if (way === 0) return { list: list.filter((_, index) => index !== at) }
  if (way === 1) return { list: [...list, ...list] }
  if (way === 2) return manyOf(dice, list[at] as Node)
  return { list: list.map((one, index) => (index === at ? damage(dice, one) : one)) }
}

/** More than any list may hold, as far as that is no more text than it takes. */
function manyOf(dice: Dice, one: Node): Node {
  const chars = dice.roll(1, SLOW_ODDS) === 1 ? MANY_CHARS : FEW_CHARS
  const length = Math.min(3_000, Math.max(2, Math.floor(chars / (write(one).length + 1))))
  return { list: Array.from({ length }, () => one) }
}

function damageMembers(dice: Dice, members: [string, Node][]): Node {
  const at = dice.roll(0, members.length - 1)
  const [name, value] = members[at] as [string, Node]
  const others = members.filter((_, index) => index !== at)
  const way = dice.roll(0, 7)
  if (way === 0) return { members: others }
  if (way === 1) return { members: [...members, [dice.pick(NAMES), dice.pick([value, edge(dice)])]] }
  if (way === 2) return { members: [...members, [name, edge(dice)]] }
  if (way === 3) return { members: [...others, [dice.pick([name.toUpperCase(), `${name} `, ...NAMES]), value]] }
  return { members: members.map((one, index) => (index === at ? [name, damage(dice, value)] : one)) }
}

/** What stands around or in between: no text, a mark, a second value. */
function spoilText(dice: Dice, text: Buffer): Buffer {
  const at = dice.roll(0, text.length)
  const put = dice.pick([
    ...NO_TEXT,
    Buffer.from('\u0000'),
    Buffer.from('\ufeff'),
    Buffer.from(','),
    Buffer.from('//'),
    text,
  ])
  return Buffer.concat([text.subarray(0, at), put, text.subarray(at)])
}
