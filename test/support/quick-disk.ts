/**
 * Reads of open files answer at once instead of from the thread pool: for folders in memory, where the trip there and back costs
 * ten times what the read does. Everything else about a file stays as it is.
 */
import fs from 'node:fs'

type Read = (into: Buffer, offset: number, length: number, position: number) => Promise<{ bytesRead: number }>

export async function readAtOnce(file: string): Promise<void> {
  const handle = await fs.promises.open(file, 'r')
  const all = Object.getPrototypeOf(handle) as { read: unknown; fd: number }
  await handle.close()
  const slow = all.read as (...words: unknown[]) => Promise<unknown>
  const read: Read = async function (this: fs.promises.FileHandle, into, offset, length, position) {
    if (!Buffer.isBuffer(into) || typeof position !== 'number')
      return slow.call(this, into, offset, length, position) as never
    return { bytesRead: fs.readSync(this.fd, into, offset, length, position), buffer: into } as { bytesRead: number }
  }
  all.read = read
}
