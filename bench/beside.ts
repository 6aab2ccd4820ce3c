/** The same work in other folders of the same disk: a plain one, and one of gocryptfs (local, encrypted, FUSE). */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

export interface Folder {
  name: string
  path: string
  remove(): void
}

export function plainFolder(dir: string): Folder {
  const folder = path.join(dir, 'plain')
  fs.mkdirSync(folder, { recursive: true })
  return { name: 'plain', path: folder, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}

/** Null when gocryptfs is not installed. */
export function gocryptfsFolder(dir: string): Folder | null {
  if (spawnSync('gocryptfs', ['-version']).status !== 0) return null
  const cipher = path.join(dir, 'gocryptfs.cipher')
  const plain = path.join(dir, 'gocryptfs')
  for (const folder of [cipher, plain]) fs.mkdirSync(folder, { recursive: true })
  const password = ['-q', '-extpass', 'echo bench']
  run('gocryptfs', ['-init', ...password, '-scryptn', '10', cipher])
  run('gocryptfs', [...password, cipher, plain])
  const remove = () => {
    spawnSync('umount', [plain])
    fs.rmSync(cipher, { recursive: true, force: true })
    fs.rmdirSync(plain)
  }
  return { name: 'gocryptfs', path: plain, remove }
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words)
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
}
