/** Open files of the kernel: its numbers have 31 bits here, and zero says nothing, so each stands for a handle of the file system. */
import { AppError } from '../../base/errors.js'

export interface OpenFile {
  readonly ino: number
  readonly fh: number
}

export class Handles {
  private readonly files = new Map<number, OpenFile>()
  private readonly opens = new Map<number, number>()
  private readonly free: number[] = []
  private last = 0

  /** A number that no open file has; those of closed files come again. */
  add(ino: number, fh: number): number {
    const id = this.free.pop() ?? ++this.last
    this.files.set(id, { ino, fh })
    this.opens.set(ino, (this.opens.get(ino) ?? 0) + 1)
    return id
  }

  get(id: number): OpenFile {
    const file = this.files.get(id)
    if (file === undefined) throw new AppError('bad-handle', 'no such handle')
    return file
  }

  /** Once for each: it is not open any more. */
  take(id: number): OpenFile {
    const file = this.get(id)
    this.files.delete(id)
    this.free.push(id)
    const left = (this.opens.get(file.ino) ?? 1) - 1
    if (left > 0) this.opens.set(file.ino, left)
    else this.opens.delete(file.ino)
    return file
  }

  isOpen(ino: number): boolean {
    return this.opens.has(ino)
  }

  takeAll(): OpenFile[] {
    return [...this.files.keys()].map((id) => this.take(id))
  }
}
