/**
 * Prints what a folder shows, one JSON line an entry, sorted by name: name (hex), type and mode, owner, size, mtime and ctime in ns, link
 * count, allocated blocks, target or hash of the content, the first name of its hard-link group; then the extended
 * attributes. A process of its own: a hanging mount hangs it, not the test. argv: FOLDER [forward|backward|stripes].
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'

const [folder = '.', order = 'forward'] = process.argv.slice(2)
const CHUNK = Buffer.allocUnsafe(1 << 20)
const WHOLE_BYTES_MAX = 2 ** 33

process.chdir(folder)
const names = list(Buffer.from('.'))
const facts = new Map<string, unknown[]>()
const firstOfGroup = new Map<bigint, string>()
for (const name of names) {
  const key = name.toString('hex')
  const stat = fs.lstatSync(name, { bigint: true })
  const isFolder = stat.isDirectory()
  const group = stat.nlink > 1n && !isFolder ? (firstOfGroup.get(stat.ino) ?? key) : ''
  if (group === key) firstOfGroup.set(stat.ino, key)
  const target = stat.isSymbolicLink() ? fs.readlinkSync(name, 'buffer').toString('hex') : ''
  const numbers = [stat.uid, stat.gid, isFolder ? 0n : stat.size, stat.mtimeNs, stat.ctimeNs, stat.nlink, stat.blocks]
  facts.set(key, [key, stat.mode.toString(8), ...numbers.map(String), target, group, ''])
}
// Contents in another order than names: what is read beside what must not matter.
for (const name of ordered(names)) {
  const row = facts.get(name.toString('hex')) as unknown[]
  if (fs.lstatSync(name).isFile()) row[row.length - 1] = hashOf(name)
}
for (const key of [...facts.keys()].sort()) console.log(JSON.stringify(facts.get(key)))
for (const line of attributes()) console.log(JSON.stringify(line))

function list(folder: Buffer): Buffer[] {
  const found: Buffer[] = [folder]
  for (const entry of fs.readdirSync(folder, { encoding: 'buffer', withFileTypes: true })) {
    const name = Buffer.concat([folder, Buffer.from('/'), entry.name as unknown as Buffer])
    if (entry.isDirectory()) found.push(...list(name))
    else found.push(name)
  }
  return found
}

function ordered(all: Buffer[]): Buffer[] {
  if (order === 'backward') return [...all].reverse()
  if (order !== 'stripes') return all
  const width = Math.ceil(Math.sqrt(all.length))
  return Array.from({ length: width }, (_, first) => all.filter((_name, at) => at % width === first)).flat()
}

function hashOf(name: Buffer): string {
  const hash = createHash('sha256')
  const file = fs.openSync(name, 'r')
  try {
    const { size } = fs.fstatSync(file)
    // Of what is mostly a hole and would take hours: its ends.
    const read = (at: number) => fs.readSync(file, CHUNK, 0, CHUNK.length, at)
    for (let at = 0, count = read(at); count > 0; count = read(at)) {
      hash.update(CHUNK.subarray(0, count))
      at += size > WHOLE_BYTES_MAX && at === 0 ? size - CHUNK.length : count
    }
  } finally {
    fs.closeSync(file)
  }
  return hash.digest('hex')
}

/** Blocks of getfattr, one for each entry that has user attributes of its own; ours that only tell a state left out. */
function attributes(): string[] {
  const words = ['-R', '-P', '-h', '-d', '-m', '^user\\.', '-e', 'hex', '.']
  const out = execFileSync('getfattr', words, { encoding: 'latin1', maxBuffer: 1 << 28 })
  const blocks = out
    .split('\n\n')
    .map((block) => block.split('\n').filter((line) => !line.startsWith('user.shardrive')))
  return blocks
    .filter((lines) => lines.length > 1)
    .map((lines) => lines.sort().join('\n'))
    .sort()
}
