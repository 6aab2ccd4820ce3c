/** docs/semantics.md and the tests: every clause is proven somewhere, and no test names one that is not written. */
import fs from 'node:fs'
import t from 'tap'
import { listFiles } from './source.js'

const CLAUSE = /\bS-\d+\b/g
const written = [...fs.readFileSync('docs/semantics.md', 'utf8').matchAll(/^\*\*(S-\d+) /gm)].map((match) => match[1])
const named = new Set(
  listFiles('test', ['.ts'])
    .filter((name) => !name.startsWith('test/house/'))
    .flatMap((name) => fs.readFileSync(name, 'utf8').match(CLAUSE) ?? []),
)

t.test('clauses are numbered without a gap, each once', async (t) => {
  t.same(
    written,
    written.map((_, i) => `S-${i + 1}`),
  )
})

t.test('every clause is named by a test', async (t) => {
  t.same(
    written.filter((clause) => !named.has(clause as string)),
    [],
    'what nobody proves is a hope: name the clause in the test that proves it',
  )
})

t.test('no test names a clause that is not written', async (t) => {
  const known = new Set<string | undefined>(written)
  t.same(
    [...named].filter((clause) => !known.has(clause)),
    [],
  )
})
