/** One request under way: who asks, where the answer goes, and whether the caller still wants it. */
import { AppError } from '../../base/errors.js'
import type { RequestContext } from './filesystem.js'
import type { Header } from './request.js'

export class Call implements RequestContext {
  readonly opcode: number
  readonly uniqueLow: number
  readonly uniqueHigh: number
  readonly uid: number
  readonly gid: number
  readonly pid: number
  private controller: AbortController | undefined
  private interruptedFor: string | undefined

  constructor(header: Header) {
    this.opcode = header.opcode
    this.uniqueLow = header.uniqueLow
    this.uniqueHigh = header.uniqueHigh
    this.uid = header.uid
    this.gid = header.gid
    this.pid = header.pid
  }

  get key(): number {
    return callKey(this.uniqueLow, this.uniqueHigh)
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.interruptedFor !== undefined) this.abort()
    }
    return this.controller.signal
  }

  interrupt(why: string): void {
    this.interruptedFor = why
    if (this.controller !== undefined) this.abort()
  }

  private abort(): void {
    this.controller?.abort(new AppError('interrupted', this.interruptedFor ?? ''))
  }
}

/** The kernel counts requests up from a small number, so that 2^53 of them never happen. */
export function callKey(uniqueLow: number, uniqueHigh: number): number {
  return uniqueHigh * 2 ** 32 + uniqueLow
}
