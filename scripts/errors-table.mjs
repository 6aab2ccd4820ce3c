// docs/errors.md from the source: every code of an expected failure, its exit code, its words and its hint.
//
//   node scripts/errors-table.mjs           prints the page
//   node scripts/errors-table.mjs --write   writes it
//
// A code is found where an AppError (or a subclass, or a function named like one) is given a kebab-case literal, or
// where a table of failures has `code: '...'`, or in the wire's own table. So: write codes as literals.
import fs from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { root, say } from './steps/console.mjs'
import { buildJavaScript } from './steps/javascript.mjs'

const kebab = /^[a-z]+(-[a-z0-9]+)*$/
const makers = /(Error|Failure|Refusal)$|^(fail|refuse|reject|deny|damaged|refused|super)/i

/** code -> { code, messages, hints, retries, rooms, bare }, sorted by code. `bare`: how many places give no hint. */
export function findCodes() {
  const found = new Map()
  const files = fs.readdirSync(path.join(root, 'src'), { recursive: true }).filter((name) => name.endsWith('.ts'))
  for (const name of files.sort()) {
    const text = fs.readFileSync(path.join(root, 'src', name), 'utf8')
    if (!/AppError|code:|refuse\(/.test(text)) continue
    const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true)
    const visit = (node) => {
      for (const one of [...fromCall(node), ...fromFailures(node), ...fromWire(node, name)])
        note(found, one, path.dirname(name))
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return [...found.values()].sort((a, b) => (a.code < b.code ? -1 : 1))
}

function note(found, { code, message, hint, retry }, room) {
  const entry = found.get(code) ?? {
    code,
    messages: new Set(),
    hints: new Set(),
    retries: new Set(),
    rooms: new Set(),
    bare: 0,
  }
  if (message) entry.messages.add(message)
  if (hint) entry.hints.add(hint)
  else if (message) entry.bare++
  if (message) entry.retries.add(retry || 'never')
  entry.rooms.add(room)
  found.set(code, entry)
}

/** new AppError('code', 'message', { hint }) and functions of the same shape. */
function fromCall(node) {
  if (!ts.isNewExpression(node) && !ts.isCallExpression(node)) return []
  const callee =
    node.expression.kind === ts.SyntaxKind.SuperKeyword ? 'super' : (node.expression.name ?? node.expression).text
  const [code, message, options] = node.arguments ?? []
  if (callee === undefined || !makers.test(callee) || code === undefined || message === undefined) return []
  const extra = options !== undefined && ts.isObjectLiteralExpression(options) ? options : undefined
  return literals(code).map((one) => ({ code: one, message: words(message), ...fieldsOf(extra) }))
}

/** { code: 'database-damaged', message: '...', hint: '...' } in a table of failures. */
function fromFailures(node) {
  if (!ts.isObjectLiteralExpression(node)) return []
  const code = property(node, 'code')
  const message = property(node, 'message')
  if (code === undefined || message === undefined) return []
  return literals(code).map((one) => ({ code: one, message: words(message), ...fieldsOf(node) }))
}

/** Codes that a peer may send: the keys of the numbers' table. */
function fromWire(node, name) {
  if (name !== path.join('wire', 'error-codes.ts')) return []
  if (!ts.isVariableDeclaration(node) || node.name.getText() !== 'NUMBERS') return []
  const table = ts.isAsExpression(node.initializer) ? node.initializer.expression : node.initializer
  return table.properties.map((one) => ({ code: one.name.text }))
}

function fieldsOf(object) {
  if (object === undefined) return {}
  const read = (name) => {
    const value = property(object, name)
    return value === undefined ? undefined : words(value)
  }
  return { hint: read('hint'), retry: read('retry') }
}

function property(object, name) {
  const found = object.properties.find((one) => ts.isPropertyAssignment(one) && one.name.getText() === name)
  return found?.initializer
}

function literals(node) {
  if (ts.isStringLiteralLike(node)) return kebab.test(node.text) ? [node.text] : []
  if (ts.isConditionalExpression(node)) return [...literals(node.whenTrue), ...literals(node.whenFalse)]
  return []
}

/** The words of a literal; what is filled in at run time becomes an ellipsis. */
function words(node) {
  if (ts.isStringLiteralLike(node)) return node.text
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('')
  if (ts.isBinaryExpression(node)) return words(node.left) + words(node.right)
  return ''
}

async function page() {
  await buildJavaScript(['src'])
  const { exitCodeForCode } = await import(new URL('../dist-test/src/app/exit-codes.js', import.meta.url))
  const { adviceFor, meanings } = await import(new URL('../dist-test/src/app/advice.js', import.meta.url))
  const cell = (values) => [...values].slice(0, 2).join('; ').replaceAll('|', '\\|').replaceAll('\n', ' ') || '-'
  const rows = findCodes().map((one) => {
    const exit = exitCodeForCode(one.code) ?? 'undecided'
    const what = cell(one.code in meanings ? [meanings[one.code]] : one.messages)
    const toDo = cell(one.hints.size > 0 ? one.hints : [adviceFor(one.code) ?? ''])
    return `| \`${one.code}\` | ${exit} | ${cell(one.retries)} | ${what} | ${toDo} | ${[...one.rooms].join(', ')} |`
  })
  return `# Errors

Every expected failure has a stable code. A command prints it in brackets, as \`code\` with \`--json\`, and ends with the exit
code of its row: 2 usage, 3 unreachable, 4 refused, 5 this machine, 6 not found, 7 damaged, 8 busy or too slow, 130 stopped by Ctrl-C, 143
by SIGTERM. 1 is a bug. \`retry\` says whether the same call can succeed later, or at another host. An ellipsis stands for what is
filled in. Generated by \`node scripts/errors-table.mjs --write\`.

| code | exit | retry | what happened | what to do | told by |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}

if (process.argv[1] === import.meta.filename) {
  const text = await page()
  if (process.argv.includes('--write')) {
    fs.writeFileSync(path.join(root, 'docs/errors.md'), text)
    say('errors: wrote docs/errors.md')
  } else process.stdout.write(text)
}
