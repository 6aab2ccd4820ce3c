import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { adviceFor, advisedCodes, meanings } from '../../src/app/advice.js'
import { decidedCodes, exitCodeForCode } from '../../src/app/exit-codes.js'

interface Found {
  code: string
  messages: Set<string>
  hints: Set<string>
  bare: number
  rooms: Set<string>
}

const file = pathToFileURL(path.resolve('scripts/errors-table.mjs')).href
const { findCodes } = (await import(file)) as { findCodes: () => Found[] }
const found = findCodes()

t.test('every code of an error has a row in docs/errors.md, and every row a code', async (t) => {
  const page = fs.readFileSync('docs/errors.md', 'utf8')
  const documented = [...page.matchAll(/^\| `([a-z0-9-]+)`/gm)].map((match) => match[1] ?? '')
  const codes = found.map((one) => one.code)
  const hint = 'run: node scripts/errors-table.mjs --write'
  t.same(
    codes.filter((code) => !documented.includes(code)),
    [],
    `codes without a row; ${hint}`,
  )
  t.same(
    documented.filter((code) => !codes.includes(code)),
    [],
    `rows without a code; ${hint}`,
  )
})

t.test('every code of an error ends in a decided exit code', async (t) => {
  const undecided = found.filter((one) => exitCodeForCode(one.code) === undefined)
  const lines = undecided.map((one) => `${one.code} (${[...one.rooms].join(', ')})`)
  t.same(lines, [], 'scripts branch on exit codes: put the code into the table of src/app/exit-codes.ts')
})

t.test('no exit code is decided for a failure that nobody throws', async (t) => {
  const codes = new Set(found.map((one) => one.code))
  t.same(
    decidedCodes().filter((code) => !codes.has(code)),
    [],
  )
})

t.test('every failure says what happened and what to do', async (t) => {
  const silent = found.filter((one) => one.messages.size === 0 && meanings[one.code] === undefined)
  t.same(
    silent.map((one) => one.code),
    [],
    'give it a message where it is thrown, or a line in `meanings` of src/app/advice.ts',
  )
  const helpless = found.filter((one) => (one.hints.size === 0 || one.bare > 0) && adviceFor(one.code) === undefined)
  t.same(
    helpless.map((one) => one.code),
    [],
    'give it a hint where it is thrown, or a line in src/app/advice.ts',
  )
  const codes = new Set(found.map((one) => one.code))
  t.same(
    [...advisedCodes(), ...Object.keys(meanings)].filter((code) => !codes.has(code)),
    [],
    'advice for failures that nobody throws',
  )
})
