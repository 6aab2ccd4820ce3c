import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { codeOnly, listFiles, readSource } from './source.js'

const source = readSource()
const written = ['src', 'test', 'native', 'bench', 'scripts'].flatMap((folder) =>
  listFiles(folder, ['.ts', '.mjs', '.c', '.h', '.cc']),
)

t.test('no file has more than 300 lines', async (t) => {
  const long = written
    .map((name) => ({ name, lines: fs.readFileSync(name, 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > 300)
  t.same(long, [], 'a file of this length is two rooms in one: find the border between them')
})

/** Every function of a file with its length in lines. */
function functionsOf(name: string): { name: string; lines: number }[] {
  const source = ts.createSourceFile(name, fs.readFileSync(name, 'utf8'), ts.ScriptTarget.ES2022, true)
  const found: { name: string; lines: number }[] = []
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const first = lineOf(node.getStart())
      found.push({ name: `${name}:${first + 1}`, lines: lineOf(node.end) - first + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

t.test('no function has more than 70 lines', async (t) => {
  // A scenario of a test is one story: those are as long as they are.
  const files = written.filter((name) => /^(src|scripts)\/.*\.(ts|mjs)$/.test(name))
  const long = files.flatMap(functionsOf).filter(({ lines }) => lines > 70)
  t.same(long, [], 'what does not fit a screen has parts that want a name')
})

t.test('src/main.ts stays under 40 lines', async (t) => {
  t.ok(fs.readFileSync('src/main.ts', 'utf8').split('\n').length <= 40)
})

t.test('nothing in src/ is a default export', async (t) => {
  const wrong = source.filter((file) => /^\s*export\s+default\b|\bas\s+default\b/m.test(codeOnly(file.text)))
  t.same(
    wrong.map((file) => file.name),
    [],
    'a default export has another name at every importer',
  )
})

t.test('there are no barrel files', async (t) => {
  const wrong = source.filter(
    (file) => path.basename(file.name) === 'index.ts' || /^export\s+\*\s+from/m.test(codeOnly(file.text)),
  )
  t.same(
    wrong.map((file) => file.name),
    [],
    'a barrel hides where a thing lives, and loads a room to read one name',
  )
})

t.test('no file is named after nothing in particular', async (t) => {
  const banned = /(^|[-.])(utils?|helpers?|managers?|misc|common|stuff)([-.]|$)/
  const wrong = written.filter((name) => !name.startsWith('native/util/') && banned.test(path.basename(name)))
  t.same(wrong, [], 'a file is named after what it holds; what has no name has no place yet')
})

t.test('rooms are never deeper than src/<mode>/<room>/<file>', async (t) => {
  t.same(
    source.filter((file) => file.name.split('/').length > 4).map((file) => file.name),
    [],
  )
})

t.test('numbers of errno are known to the door alone, and to what names those that Node does not', async (t) => {
  const numbered =
    /\bE(?:PERM|NOENT|IO|BADF|AGAIN|ACCES|EXIST|NOTDIR|ISDIR|INVAL|FBIG|NOSPC|ROFS|NOTEMPTY|DQUOT|STALE)\b['"]?\s*[:=]\s*-?\d|constants\.errno/
  const knows = /^src\/(?:mount\/fuse\/|base\/system-code\.ts$)/
  const wrong = source.filter((file) => !knows.test(file.name) && numbered.test(codeOnly(file.text)))
  t.same(
    wrong.map((file) => file.name),
    [],
    'errors have codes; one table at the door turns them into numbers',
  )
})

t.test('SQL stands only where the tables are', async (t) => {
  const rooms = /^src\/(sqlite|mount\/metadata|mount\/cache|host\/ledger|bridge\/persist)\//
  const sql =
    /\b(?:SELECT\s[^'`]{1,200}\sFROM\s|INSERT\s+(?:OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(?:TABLE|INDEX|TRIGGER)\s)|\.(?:selectFrom|insertInto|updateTable|deleteFrom)\(/
  const wrong = source.filter((file) => !rooms.test(file.name) && sql.test(codeOnly(file.text)))
  t.same(
    wrong.map((file) => file.name),
    [],
    'one room owns the tables, so that a migration is read beside every statement it touches',
  )
})

t.test('secrets are never arguments', async (t) => {
  const secret = /(?:^|-)(?:phrase|passphrase|password|secret|mnemonic|private-key|api-key)$/
  const declared =
    /\.(?:option|positional)\(\s*['"]([\w-]+)['"]|['"]?([\w-]+)['"]?\s*:\s*\{\s*(?:type|describe|alias)\s*:/g
  const wrong = source
    .filter((file) => file.name.startsWith('src/app/'))
    .flatMap((file) => [...codeOnly(file.text).matchAll(declared)])
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((name) => secret.test(name.replace(/[A-Z]/g, (one) => `-${one.toLowerCase()}`)))
  t.same(wrong, [], 'other users read the arguments of every process: take a file, the environment, or ask')
})

t.test('nothing names a folder of the machine it was written on', async (t) => {
  const local = /(?:^|[\s'"`(=])\/(?:work|root|Users)\/[\w.-]|\/home\/(?!user\b|you\b|me\b|alice\b|bob\b)[a-z]\w*\//m
  const texts = [
    ...written,
    ...listFiles('docs', ['.md']),
    ...listFiles('.ci', ['']),
    'package.json',
    '.npmrc',
    'biome.json',
  ]
  if (fs.existsSync('README.md')) texts.push('README.md')
  t.same(
    texts.filter((name) => local.test(fs.readFileSync(name, 'utf8')) && name !== 'test/house/files.test.ts'),
    [],
  )
})
