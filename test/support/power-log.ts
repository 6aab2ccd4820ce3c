/** What power-recorder.c has recorded, read back. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const SOURCE = path.resolve('test/support/power-recorder.c')
const HEAD_BYTES = 25
const KINDS = {
  1: 'create',
  2: 'write',
  3: 'truncate',
  4: 'sync',
  5: 'rename',
  6: 'unlink',
  7: 'mkdir',
  8: 'rmdir',
  9: 'sync-folder',
  10: 'found',
} as const

export interface PowerRecord {
  kind: (typeof KINDS)[keyof typeof KINDS]
  /** Before the call. */
  time: bigint
  file: number
  /** Of a write; of a truncation, the size. */
  offset: number
  /** Of a write. */
  bytes: Buffer
  /** Below the folder. */
  name: string
  to: string
}

/** false, or why nothing can be recorded here. */
export function noRecorder(): string | false {
  if (process.platform !== 'linux') return 'LD_PRELOAD is for Linux'
  return spawnSync('cc', ['--version']).status === 0 ? false : 'there is no compiler'
}

/** What a process needs in its environment to be recorded. The library is made in `folder`, once. */
export function recorderEnv(folder: string, places: { folder: string; log: string }): NodeJS.ProcessEnv {
  const library = path.join(folder, 'power-recorder.so')
  const words = ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl', '-lpthread']
  const made = fs.existsSync(library) ? { status: 0, stderr: '' } : spawnSync('cc', words, { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`the recorder: ${made.stderr}`)
  // Node must not pass its calls by the C library.
  return { LD_PRELOAD: library, UV_USE_IO_URING: '0', POWER_FOLDER: places.folder, POWER_LOG: places.log }
}

export function readPowerLog(file: string): PowerRecord[] {
  const log = fs.readFileSync(file)
  const records: PowerRecord[] = []
  for (let at = 0; at + HEAD_BYTES <= log.length; ) {
    const length = log.readUInt32LE(at + 21)
    const bytes = log.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length)
    const kind = KINDS[log[at] as keyof typeof KINDS]
    const [name = '', to = ''] = kind === 'write' ? [] : bytes.toString().split('\0')
    const file = log.readUInt32LE(at + 9)
    const offset = Number(log.readBigUInt64LE(at + 13))
    records.push({ kind, time: log.readBigUInt64LE(at + 1), file, offset, bytes, name, to })
    at += HEAD_BYTES + length
  }
  return records
}
