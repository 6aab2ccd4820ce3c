/** Reading and looking from outside: by other processes, so that a mount that hangs never takes the test along. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs/promises'

export interface OutsideRead {
  /** Bytes that came and were right. */
  bytes: number
  /** Where the first wrong byte was, -1 for none. */
  wrongAt: number
  status: number | null
  signal: NodeJS.Signals | null
  stderr: string
  tookMs: number
}

/** `cat` of a file, compared with what it should be while it comes. */
export class OutsideReader {
  readonly child: ChildProcess
  readonly ended: Promise<OutsideRead>
  bytes = 0
  private wrongAt = -1

  constructor(file: string, expected: Buffer) {
    const startedMs = performance.now()
    const child = spawn('cat', [file], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } })
    this.child = child
    let stderr = ''
    child.stderr.on('data', (piece: Buffer) => {
      stderr += piece.toString()
    })
    child.stdout.on('data', (piece: Buffer) => {
      const end = this.bytes + piece.length
      if (this.wrongAt < 0 && !piece.equals(expected.subarray(this.bytes, end))) this.wrongAt = this.bytes
      this.bytes = end
    })
    this.ended = new Promise((resolve) => {
      child.on('close', (status, signal) => {
        const tookMs = Math.round(performance.now() - startedMs)
        resolve({ bytes: this.bytes, wrongAt: this.wrongAt, status, signal, stderr, tookMs })
      })
    })
  }
}

/** A file of these bytes, in writes of 1 MiB, closed; with fsync if asked. */
export async function writeFile(
  file: string,
  bytes: Buffer,
  options: { fsync?: boolean; onWritten?: (at: number) => void } = {},
): Promise<void> {
  const handle = await fs.open(file, 'w')
  try {
    for (let at = 0; at < bytes.length; at += 1_048_576) {
      await handle.write(bytes.subarray(at, at + 1_048_576), 0, Math.min(1_048_576, bytes.length - at), at)
      options.onWritten?.(at)
    }
    if (options.fsync) await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Milliseconds that something takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return Math.round(performance.now() - startedMs)
}
