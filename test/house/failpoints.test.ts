/** Every failpoint of a drive stands in docs/durability.md and is killed at by a crash test, and nothing else stands there. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { allPoints } from '../support/crash-points.js'

const ROOMS = ['src/app', 'src/base', 'src/sqlite', 'src/mount']
/** Steps of the ledger have one name each, and share a line of the table. */
const CALLS = 'mount.call.'

function inCode(): string[] {
  const files = ROOMS.flatMap((room) =>
    fs.readdirSync(room, { recursive: true, encoding: 'utf8' }).map((name) => path.join(room, name)),
  )
  const texts = files.filter((name) => name.endsWith('.ts')).map((name) => fs.readFileSync(name, 'utf8'))
  return texts
    .flatMap((text) => [...text.matchAll(/failpoint\('([\w.-]+)'\)/g)].map(([, name]) => name as string))
    .sort()
}

function inDocs(): string[] {
  const text = fs.readFileSync('docs/durability.md', 'utf8')
  const table = text.slice(text.indexOf('| failpoint | where'))
  const names = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap(
    ([, cell]) => (cell as string).match(/[a-z]+\.[a-z.]+/g) ?? [],
  )
  return names.filter((name) => !name.startsWith(CALLS)).sort()
}

t.test('failpoints of a drive are in the table of docs/durability.md', async (t) => {
  t.same(inDocs(), [...new Set(inCode())])
})

t.test('each of them is killed at', async (t) => {
  const killed = allPoints().filter((name) => !name.startsWith(CALLS))
  t.same(killed, [...new Set(inCode())], 'test/support/crash-points.ts names what reaches it')
  const calls = fs.readFileSync('src/mount/metadata/calls.ts', 'utf8')
  for (const name of allPoints()) {
    if (name.startsWith(CALLS)) t.match(calls, `  ${name.slice(CALLS.length)}: (s`, name)
  }
})
