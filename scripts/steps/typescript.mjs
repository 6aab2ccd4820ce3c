// TypeScript -> JavaScript, file by file: src/ -> dist/, test/ -> dist-test/test/, bench/ -> dist-test/bench/.
//
// Only types are stripped (every file is an isolated module), so a file is compiled from its own text
// alone: a change costs milliseconds, and an error in one room does not stop another room's tests. Types
// are checked by `npm run typecheck`. dist-test/src is a link to dist, so that tests run the very
// files that `shardrive` runs.
import fs from 'node:fs'
import path from 'node:path'
import { root } from './console.mjs'

const trees = [
  { from: 'src', to: 'dist' },
  { from: 'test', to: 'dist-test/test' },
  { from: 'bench', to: 'dist-test/bench' },
]

const settingsFile = path.join(root, 'dist/.compiled-with')

/** Compiles what is newer or older than its output and removes outputs without a source. Returns how many files changed. */
export async function buildTypeScript(only = ['src', 'test', 'bench']) {
  let changed = 0
  forgetOtherSettings()
  for (const tree of trees.filter((one) => only.includes(one.from))) {
    const sources = list(tree.from, '.ts').filter((name) => !name.endsWith('.d.ts'))
    const wanted = new Set(sources.map((name) => name.replace(/\.ts$/, '.js')))
    changed += removeOrphans(tree.to, wanted)
    const stale = sources.filter((name) => isStale(tree, name))
    if (stale.length > 0) await compile(tree, stale)
    changed += stale.length
    if (tree.from === 'test') link('../dist', path.join(root, 'dist-test/src'))
  }
  makeRunnable()
  return changed
}

/** Other compiler settings or another compiler: everything is compiled again. */
function forgetOtherSettings() {
  const read = (name) => fs.readFileSync(path.join(root, name), 'utf8')
  const settings = `${JSON.parse(read('node_modules/typescript/package.json')).version}\n${read('tsconfig.json')}`
  if (fs.existsSync(settingsFile) && fs.readFileSync(settingsFile, 'utf8') === settings) return
  for (const tree of trees) fs.rmSync(path.join(root, tree.to), { recursive: true, force: true })
  fs.mkdirSync(path.dirname(settingsFile), { recursive: true })
  writeWhole(settingsFile, settings)
}

function list(folder, extension) {
  const full = path.join(root, folder)
  if (!fs.existsSync(full)) return []
  const entries = fs.readdirSync(full, { recursive: true })
  return entries.filter((name) => name.endsWith(extension))
}

function outputOf(tree, name) {
  return path.join(root, tree.to, name.replace(/\.ts$/, '.js'))
}

function isStale(tree, name) {
  const source = fs.statSync(path.join(root, tree.from, name), { throwIfNoEntry: false })
  const output = fs.statSync(outputOf(tree, name), { throwIfNoEntry: false })
  // The output carries its source's mtime: a checkout that turns a file back is noticed as well.
  return source !== undefined && (output === undefined || Math.abs(output.mtimeMs - source.mtimeMs) > 1)
}

async function compile(tree, names) {
  const { default: ts } = await import('typescript')
  const config = ts.readConfigFile(path.join(root, 'tsconfig.json'), ts.sys.readFile).config
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const compilerOptions = { ...options, module: ts.ModuleKind.ESNext, incremental: false, inlineSources: true }
  for (const name of names) {
    const source = path.join(root, tree.from, name)
    const output = outputOf(tree, name)
    const { mtime } = fs.statSync(source)
    const text = fs.readFileSync(source, 'utf8')
    const made = ts.transpileModule(text, { compilerOptions, fileName: source })
    const map = JSON.parse(made.sourceMapText)
    fs.mkdirSync(path.dirname(output), { recursive: true })
    const toSource = path.relative(path.dirname(output), source)
    writeWhole(`${output}.map`, JSON.stringify({ ...map, sourceRoot: '', sources: [toSource] }))
    writeWhole(output, made.outputText, mtime)
  }
}

/** Several builds may run in one checkout: each output appears whole or not at all. */
function writeWhole(file, text, mtime) {
  const draft = `${file}.${process.pid}.draft`
  fs.writeFileSync(draft, text)
  if (mtime !== undefined) fs.utimesSync(draft, mtime, mtime)
  fs.renameSync(draft, file)
}

function removeOrphans(folder, wanted) {
  const orphans = list(folder, '.js').filter((name) => !wanted.has(name))
  for (const name of orphans) {
    fs.rmSync(path.join(root, folder, name), { force: true })
    fs.rmSync(path.join(root, folder, `${name}.map`), { force: true })
  }
  return orphans.length
}

/** dist/main.js can be run by its name, and `npx shardrive` finds it. */
function makeRunnable() {
  const main = path.join(root, 'dist/main.js')
  const state = fs.statSync(main, { throwIfNoEntry: false })
  if (state === undefined) return
  if ((state.mode & 0o111) !== 0o111) fs.chmodSync(main, 0o755)
  link('../../dist/main.js', path.join(root, 'node_modules/.bin/shardrive'))
}

function link(target, file) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  try {
    if (fs.readlinkSync(file) === target) return
    fs.rmSync(file)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  try {
    fs.symlinkSync(target, file)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
}
