/**
 * Hands on a drive whose disk is full (full-disk-bench.ts), in a process of their own: what hangs is theirs. Asked over IPC (ask-child.ts);
 * each question is answered with what the system said: '' for success, else a code.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import { rampBytes } from './ramp.js'

export interface FileFacts {
  name: string
  seed: number
  size: number
}

export interface WriteSaid {
  /** Every byte was taken, and the file closed: from then on it may not be lost. */
  taken: boolean
  codes: string[]
  slowestMs: number
}

const MIB = 1_048_576

async function said(work: () => Promise<unknown>): Promise<string> {
  try {
    await work()
    return ''
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

/** A file, its fsync, and what else may be done to a tree. */
async function write({ name, seed, size }: FileFacts): Promise<WriteSaid> {
  const bytes = rampBytes(seed, size)
  const codes: string[] = []
  let slowestMs = 0
  const ask = async (work: () => Promise<unknown>) => {
    const startedMs = performance.now()
    const code = await said(work)
    slowestMs = Math.max(slowestMs, performance.now() - startedMs)
    codes.push(code)
    return code === ''
  }
  let handle: fs.FileHandle | null = null
  await ask(async () => {
    handle = await fs.open(name, 'wx')
  })
  const file = handle as fs.FileHandle | null
  if (file === null) return { taken: false, codes, slowestMs }
  let taken = true
  for (let at = 0; at < size && taken; at += MIB) {
    const part = bytes.subarray(at, at + MIB)
    taken = await ask(async () => {
      const { bytesWritten } = await file.write(part, 0, part.length, at)
      // Less than asked is a success for that much; what is missing is refused when it is asked for.
      if (bytesWritten < part.length)
        await file.write(part, bytesWritten, part.length - bytesWritten, at + bytesWritten)
    })
  }
  if (taken) await ask(() => file.sync())
  taken = (await ask(() => file.close())) && taken
  return { taken, codes, slowestMs }
}

/** Changes of names and attributes, none of which is needed later. */
async function change(folder: string): Promise<{ codes: string[] }> {
  const place = path.join(folder, `d${performance.now()}`)
  const codes = [await said(() => fs.mkdir(place))]
  if (codes[0] === '') {
    codes.push(await said(() => fs.chmod(place, 0o700)))
    const moved = await said(() => fs.rename(place, `${place}.moved`))
    codes.push(moved, await said(() => fs.rmdir(moved === '' ? `${place}.moved` : place)))
  }
  return { codes }
}

async function read({ name, seed, size }: FileFacts): Promise<{ code: string; wrong: boolean }> {
  let bytes: Buffer | null = null
  const code = await said(async () => {
    bytes = await fs.readFile(name)
  })
  return { code, wrong: bytes !== null && !rampBytes(seed, size).equals(bytes) }
}

async function look(folder: string): Promise<{ code: string; entries: number }> {
  let entries = 0
  const code = await said(async () => {
    for (const name of await fs.readdir(folder)) {
      // Names come and go.
      const code = await said(() => fs.lstat(path.join(folder, name)))
      if (code !== '' && code !== 'ENOENT') throw Object.assign(new Error(code), { code })
      entries++
    }
  })
  return { code, entries }
}

interface Question {
  id: number
  write?: FileFacts
  read?: FileFacts
  change?: string
  remove?: string
  look?: string
}

async function answer(question: Question): Promise<unknown> {
  const { write: written, read: looked, change: changed, remove, look: folder } = question
  if (written !== undefined) return write(written)
  if (looked !== undefined) return read(looked)
  if (changed !== undefined) return change(changed)
  if (remove !== undefined) return { code: await said(() => fs.rm(remove)) }
  return look(folder as string)
}

process.on('message', async (question: Question) => {
  process.send?.({ answers: question.id, answer: await answer(question) })
})
process.on('disconnect', () => process.exit(0))
