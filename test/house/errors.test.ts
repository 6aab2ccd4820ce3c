import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { exitCodeForCode } from '../../src/app/exit-codes.js'

interface Found {
  code: string
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
  const undecided = found.filter((one) => exitCodeForCode(one.code) === undefined && one.code !== 'bug')
  const lines = undecided.map((one) => `${one.code} (${[...one.rooms].join(', ')})`)
  t.same(lines, [], 'scripts branch on exit codes: put the code into the table of src/app/exit-codes.ts')
})
