// TypeScript -> JavaScript with esbuild. Types are checked elsewhere (`npm run typecheck`).
//
//   dist/            the program: all of src/ in main.js, and a file for each worker. As CommonJS, because Node takes twice the
//                    CPU to find and load the same code as 230 modules and their packages (docs/adr/0010).
//   dist-test/       file by file, as modules, for tests and benches: src/, test/, bench/. A file is compiled from its own
//                    text alone: a change costs milliseconds, and an error in one room does not stop another room's tests.
//                    programs/: what crash tests start again and again, made like the program.
import fs from 'node:fs'
import path from 'node:path'
import { root, SetupFailure } from './console.mjs'

/** A worker is found by its name beside whoever starts it: in the program they all lie in dist/. */
const entries = ['src/main.ts', ...list('src', '-worker.ts').map((name) => path.join('src', name))]
const program = path.join(root, 'dist')
const testEntries = [
  'test/mount/vfs-child.ts',
  'test/support/crash-drive-child.ts',
  'test/support/create-child.ts',
  ...entries.filter((name) => name.includes('-worker')),
]
const testPrograms = path.join(root, 'dist-test/programs')
const trees = [
  { from: 'src', to: 'dist-test/src' },
  { from: 'test', to: 'dist-test/test' },
  { from: 'bench', to: 'dist-test/bench' },
]
/** The oldest Node that package.json allows. */
const target = 'node20.19'
/** Made only of modules, which `require` reaches slowly: they become part of the program. */
const bundled = ['yargs']
/** Of what is bundled: see there. */
const alias = { 'string-width': path.join(root, 'scripts/steps/text-width.mjs') }
const compilerOptions = { verbatimModuleSyntax: true, target: 'ES2022' }
const settingsFile = path.join(root, 'dist-test/.compiled-with')

/** The program, and of `only` what is newer or older than its output. Returns how many files changed. */
export async function buildJavaScript(only = ['src', 'test', 'bench']) {
  const esbuild = await import('esbuild')
  try {
    forgetOtherSettings(esbuild.version)
    let changed = await bundle(esbuild, entries, program)
    for (const tree of trees.filter((one) => only.includes(one.from))) changed += await compileTree(esbuild, tree)
    const isMissing = testEntries.some((name) => !fs.existsSync(bundleOf(name)))
    if (only.includes('test') && (changed > 0 || isMissing)) await bundle(esbuild, testEntries, testPrograms)
    makeRunnable()
    return changed
  } finally {
    await esbuild.stop()
  }
}

/** Other settings or another compiler: everything is compiled again. */
function forgetOtherSettings(version) {
  const settings = `esbuild ${version} ${target} ${JSON.stringify(compilerOptions)}`
  if (fs.existsSync(settingsFile) && fs.readFileSync(settingsFile, 'utf8') === settings) return
  fs.rmSync(program, { recursive: true, force: true })
  fs.rmSync(path.dirname(settingsFile), { recursive: true, force: true })
  fs.mkdirSync(path.dirname(settingsFile), { recursive: true })
  writeWhole(settingsFile, settings)
}

function bundleOf(name) {
  return path.join(testPrograms, `${path.basename(name, '.ts')}.js`)
}

async function bundle(esbuild, entryPoints, folder) {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  const { outputFiles } = await guarded(() =>
    esbuild.build({
      ...{ entryPoints, absWorkingDir: root, outdir: folder, entryNames: '[name]', write: false },
      ...{ bundle: true, platform: 'node', format: 'cjs', target, alias, tsconfigRaw: { compilerOptions } },
      ...{ external: Object.keys(dependencies).filter((name) => !bundled.includes(name)) },
      // Packages are loaded when they are asked for, with the lighter loader.
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'fileUrl' },
      banner: { js: "const fileUrl = require('node:url').pathToFileURL(__filename).href;" },
      ...{ sourcemap: 'linked', logLevel: 'silent' },
    }),
  )
  const files = outputFiles.map(({ path: file, contents }) => ({ file, contents }))
  files.push({ file: path.join(folder, 'package.json'), contents: Buffer.from('{ "type": "commonjs" }\n') })
  fs.mkdirSync(folder, { recursive: true })
  for (const name of fs.readdirSync(folder)) {
    if (!files.some(({ file }) => path.basename(file) === name) && !name.endsWith('.draft'))
      fs.rmSync(path.join(folder, name), { recursive: true, force: true })
  }
  const changed = files.filter(({ file, contents }) => !fs.existsSync(file) || !fs.readFileSync(file).equals(contents))
  for (const { file, contents } of changed) writeWhole(file, contents)
  return changed.filter(({ file }) => file.endsWith('.js')).length
}

async function compileTree(esbuild, tree) {
  const sources = list(tree.from, '.ts').filter((name) => !name.endsWith('.d.ts'))
  const wanted = new Set(sources.map((name) => name.replace(/\.ts$/, '.js')))
  const stale = sources.filter((name) => isStale(tree, name))
  await Promise.all(stale.map((name) => compile(esbuild, tree, name)))
  return stale.length + removeOrphans(tree.to, wanted)
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

async function compile(esbuild, tree, name) {
  const source = path.join(root, tree.from, name)
  const output = outputOf(tree, name)
  const { mtime } = fs.statSync(source)
  const text = fs.readFileSync(source, 'utf8')
  const sourcefile = path.relative(path.dirname(output), source)
  const settings = { loader: 'ts', format: 'esm', target, tsconfigRaw: { compilerOptions }, logLevel: 'silent' }
  const made = await guarded(() => esbuild.transform(text, { ...settings, sourcefile, sourcemap: 'external' }))
  fs.mkdirSync(path.dirname(output), { recursive: true })
  writeWhole(`${output}.map`, made.map)
  writeWhole(output, `${made.code}//# sourceMappingURL=${path.basename(output)}.map\n`, mtime)
}

/** An error in the source is told with its place, without a stack of the compiler's. */
async function guarded(work) {
  try {
    return await work()
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error
    const lines = error.errors.map(({ text, location }) => `${location?.file}:${location?.line}: ${text}`)
    throw new SetupFailure(`the TypeScript does not compile:\n${lines.join('\n')}`, 'mend the lines above')
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
  fs.chmodSync(path.join(program, 'main.js'), 0o755)
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
