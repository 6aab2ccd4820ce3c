/**
 * Secrets come from a file, the environment or a prompt, never from the command line: other users of the machine can read
 * that. What is read goes straight into guarded memory.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { AppError } from '../base/errors.js'
import { SecretBytes } from '../crypto/secret.js'

const SECRET_BYTES_MAX = 4_096
const EMPTY_PIPE_MS = 20

export interface SecretSource {
  /** A path; '-' is standard input. */
  file?: string | undefined
  /** Name of the environment variable. */
  variable: string
  /** Asked on a terminal when nothing else is given; undefined: do not ask. */
  question?: string
}

/** Null when nothing was given and nobody can be asked. Trailing line ends are cut. */
export async function readSecret(source: SecretSource): Promise<SecretBytes | null> {
  if (source.file !== undefined) return readFile(source.file)
  const value = process.env[source.variable]
  if (value !== undefined && value !== '') {
    // Children and later readers of /proc see it no more (the start of this process does).
    delete process.env[source.variable]
    return SecretBytes.take(Buffer.from(value, 'utf8'))
  }
  if (source.question !== undefined && process.stdin.isTTY) return prompt(source.question)
  return null
}

/** What the command that started this daemon hands over on standard input; null when that is nothing. */
export function readHandedSecret(): SecretBytes | null {
  return readFrom(0, 'standard input')
}

function readFile(file: string): SecretBytes {
  const secret = file === '-' ? readFrom(0, 'standard input') : readOpened(file)
  if (secret === null) throw new AppError('secret-unreadable', `${file === '-' ? 'standard input' : file} is empty`)
  return secret
}

function readOpened(file: string): SecretBytes | null {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch (cause) {
    throw new AppError('secret-unreadable', `${file} cannot be read`, { cause })
  }
  try {
    const state = fstatSync(fd)
    if (state.isFile() && (state.mode & 0o077) !== 0) {
      process.stderr.write(`warning: ${file} can be read by others; chmod 600 it\n`)
    }
    return readFrom(fd, file)
  } finally {
    closeSync(fd)
  }
}

/** All that there is, without the line end. */
function readFrom(fd: number, name: string): SecretBytes | null {
  const room = Buffer.alloc(SECRET_BYTES_MAX + 1)
  try {
    let length = 0
    for (let got = -1; got !== 0 && length < room.length; length += got) got = readSome(fd, room, length)
    while (length > 0 && (room[length - 1] === 10 || room[length - 1] === 13)) length--
    if (length > SECRET_BYTES_MAX) throw new AppError('secret-unreadable', `${name} is too long for a secret`)
    return length === 0 ? null : SecretBytes.take(room.subarray(0, length))
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('secret-unreadable', `${name} cannot be read`, { cause })
  } finally {
    room.fill(0)
  }
}

/** A pipe may be one that does not wait: then we do. */
function readSome(fd: number, room: Buffer, offset: number): number {
  for (;;) {
    try {
      return readSync(fd, room, offset, room.length - offset, null)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, EMPTY_PIPE_MS)
    }
  }
}

/** Reads one line without showing it. */
function prompt(question: string): Promise<SecretBytes> {
  process.stderr.write(question)
  const { stdin } = process
  stdin.setRawMode(true)
  stdin.resume()
  const typed = Buffer.alloc(SECRET_BYTES_MAX)
  let length = 0
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
      process.stderr.write('\n')
      finish()
    }
    const onData = (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte === 3) return end(() => reject(new AppError('interrupted', 'stopped')))
        if (byte === 13 || byte === 10) {
          return end(() => resolve(SecretBytes.take(typed.subarray(0, length))))
        }
        if (byte === 127 || byte === 8) length = Math.max(0, length - 1)
        else if (length < typed.length) typed[length++] = byte
      }
    }
    stdin.on('data', onData)
  })
}
