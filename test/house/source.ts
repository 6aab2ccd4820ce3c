/** The source as the house tests see it: files, their rooms, and what they import. */
import fs from 'node:fs'
import path from 'node:path'

export interface SourceFile {
  /** From the repository's root, with slashes: src/mount/vfs/lookup.ts */
  readonly name: string
  /** From src/: ['mount', 'vfs']; [] for src/main.ts */
  readonly room: readonly string[]
  readonly text: string
}

export interface Import {
  readonly from: SourceFile
  /** A name from the repository's root for our own files, the package's name for others. */
  readonly target: string
  readonly isOurs: boolean
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

export function listFiles(folder: string, extensions: readonly string[]): string[] {
  if (!fs.existsSync(folder)) return []
  return (fs.readdirSync(folder, { recursive: true }) as string[])
    .map((name) => path.posix.join(folder, name.replaceAll(path.sep, '/')))
    .filter(
      (name) => extensions.includes(path.extname(name)) && !name.includes('/build/') && fs.statSync(name).isFile(),
    )
    .sort()
}

export function readSource(): SourceFile[] {
  return listFiles('src', ['.ts']).map((name) => ({
    name,
    room: name.split('/').slice(1, -1),
    text: fs.readFileSync(name, 'utf8'),
  }))
}

/** Comments out, strings kept: so that a rule about code does not trip over prose. */
export function codeOnly(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

const importPattern = /\b(import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g

export function importsOf(file: SourceFile): Import[] {
  return [...codeOnly(file.text).matchAll(importPattern)].map((match) => {
    const spelled = match[3] ?? match[4] ?? ''
    const isOurs = spelled.startsWith('.')
    const target = isOurs
      ? path.posix.join(path.posix.dirname(file.name), spelled).replace(/\.js$/, '.ts')
      : packageOf(spelled)
    return { from: file, target, isOurs, typeOnly: match[2] !== undefined, dynamic: match[4] !== undefined }
  })
}

function packageOf(spelled: string): string {
  const parts = spelled.split('/')
  return spelled.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? spelled)
}
