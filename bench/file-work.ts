/**
 * What a program does with a folder: run as a process of its own, so that a mount that hangs hangs only that, and so that
 * no measuring process shares its time. Prints one line of JSON. Blocks are random and stamped with file and place:
 * what is read is what was written, at the place where it was written.
 *
 *   node dist-test/bench/file-work.js write FILE MIB SEED | read FILE MIB SEED | create|flat|stat|list|rename FOLDER COUNT | unlink FOLDER COUNT [1: what rename renamed] | fill FOLDER COUNT BYTES
 */
import { randomFillSync } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

const BLOCK_BYTES = 1_048_576
const FOLDERS = 100
const RENAMED = '-new'
const noise = randomFillSync(Buffer.alloc(BLOCK_BYTES))

function stampOf(seed: number, at: number): Buffer {
  return Buffer.from(`bench ${seed} block ${at}`.padEnd(32))
}

/** Over what is there; `durableMs` with an fsync. */
function write(file: string, blocks: number, seed: number) {
  const fd = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644)
  for (let at = 0; at < blocks; at++) {
    stampOf(seed, at).copy(noise)
    // No two blocks alike: nothing may be saved by finding them again.
    noise.writeUInt32LE(at, 64)
    for (let done = 0; done < BLOCK_BYTES; ) done += fs.writeSync(fd, noise, done, BLOCK_BYTES - done)
  }
  const acknowledgedMs = performance.now() - startedMs
  fs.fsyncSync(fd)
  fs.closeSync(fd)
  return { ms: acknowledgedMs, durableMs: performance.now() - startedMs }
}

function read(file: string, blocks: number, seed: number) {
  const fd = fs.openSync(file, 'r')
  const block = Buffer.alloc(BLOCK_BYTES)
  let firstMs = 0
  for (let at = 0; at < blocks; at++) {
    for (let done = 0; done < BLOCK_BYTES; ) {
      const bytes = fs.readSync(fd, block, done, BLOCK_BYTES - done, null)
      if (bytes === 0) throw new Error(`the file ends in block ${at}`)
      done += bytes
    }
    if (at === 0) firstMs = performance.now() - startedMs
    if (!block.subarray(0, 32).equals(stampOf(seed, at))) throw new Error(`block ${at} is another`)
  }
  fs.closeSync(fd)
  return { ms: performance.now() - startedMs, firstMs }
}

function nameOf(folder: string, at: number): string {
  return path.join(folder, `d${at % FOLDERS}`, `file-${at}`)
}

function each(count: number, work: (at: number) => void) {
  for (let at = 0; at < count; at++) work(at)
  return { ms: performance.now() - startedMs }
}

function makeFolders(folder: string): void {
  for (let at = 0; at < FOLDERS; at++) fs.mkdirSync(path.join(folder, `d${at}`), { recursive: true })
  startedMs = performance.now()
}

function makeFile(file: string, bytes: number): void {
  const fd = fs.openSync(file, 'wx')
  if (bytes > 0) fs.writeSync(fd, noise, 0, bytes)
  fs.closeSync(fd)
}

/** As `ls -f` does. */
function list(folder: string, count: number) {
  const seen = fs.readdirSync(folder).length
  if (seen !== count) throw new Error(`${seen} names of ${count}`)
  return { ms: performance.now() - startedMs }
}

function run(work: string, place: string, count: number, more: number): object {
  switch (work) {
    case 'write':
      return write(place, count, more)
    case 'read':
      return read(place, count, more)
    case 'create':
      makeFolders(place)
      return each(count, (at) => makeFile(nameOf(place, at), 0))
    case 'fill':
      makeFolders(place)
      return each(count, (at) => makeFile(nameOf(place, at), more))
    case 'flat':
      return each(count, (at) => makeFile(path.join(place, `file-${at}`), 0))
    case 'stat':
      return each(count, (at) => fs.statSync(nameOf(place, at)))
    case 'list':
      return list(place, count)
    case 'rename':
      return each(count, (at) => fs.renameSync(nameOf(place, at), `${nameOf(place, at)}${RENAMED}`))
    case 'unlink':
      return each(count, (at) => fs.unlinkSync(`${nameOf(place, at)}${more === 1 ? RENAMED : ''}`))
    default:
      throw new Error(`no work ${work}`)
  }
}

const [work = '', place = '', count = '0', more = '0'] = process.argv.slice(2)
let startedMs = performance.now()
console.log(JSON.stringify(run(work, place, Number(count), Number(more))))
