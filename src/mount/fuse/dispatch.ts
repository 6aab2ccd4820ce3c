/** Request bytes -> call of the file system -> reply. Never throws: every request that wants an answer gets one. */
import { assert } from '../../base/assert.js'
import { codeOf } from '../../base/errors.js'
import type { Log } from '../../base/log.js'
import { Call } from './call.js'
import { decodeHeader, decodeRequest } from './decode.js'
import type { FileSystem } from './filesystem.js'
import { type InitAnswer, negotiate } from './init.js'
import { OP } from './opcodes.js'
import type { Replies } from './replies.js'
import type { Header, Request, RequestOf } from './request.js'
import type { RequestBytes } from './request-bytes.js'
import { FILE_SERVICES } from './serve-files.js'
import { NAME_SERVICES } from './serve-names.js'

type Service = (fs: FileSystem, to: Replies, call: Call, request: Request) => void

export class Dispatcher {
  private readonly fs: FileSystem
  private readonly replies: Replies
  private readonly log: Log
  private readonly onReady: (outcome: InitAnswer | Error) => void
  private readonly services: { readonly [op: number]: Service }

  /** `onReady` is called once, when kernel and door have agreed (or with why they could not). */
  constructor(parts: {
    fs: FileSystem
    replies: Replies
    log: Log
    onReady: (outcome: InitAnswer | Error) => void
  }) {
    this.fs = parts.fs
    this.replies = parts.replies
    this.log = parts.log
    this.onReady = parts.onReady
    const services = {
      ...NAME_SERVICES,
      ...FILE_SERVICES,
      [OP.INIT]: (_fs: FileSystem, _to: Replies, call: Call, request: RequestOf<typeof OP.INIT>) => {
        this.agree(call, request)
      },
    }
    // Every kind of request has its service: the compiler checks it here.
    const complete: Record<Request['op'], unknown> = services
    this.services = complete as { readonly [op: number]: Service }
  }

  dispatch(from: RequestBytes): void {
    let header: Header
    try {
      header = decodeHeader(from)
    } catch (error) {
      this.log.error({ code: codeOf(error), length: from.length }, 'a request without a sound header was dropped')
      return
    }
    const call = new Call(header)
    try {
      const request = decodeRequest(from, header.opcode, header.ino)
      const service = this.services[request.op]
      assert(service !== undefined, 'every decoded request has a service')
      service(this.fs, this.replies, call, request)
    } catch (error) {
      if (wantsReply(header.opcode)) this.replies.fail(call, error)
      else this.log.error({ code: codeOf(error), opcode: header.opcode }, 'a request without a reply failed')
    }
  }

  private agree(call: Call, request: RequestOf<typeof OP.INIT>): void {
    try {
      const answer = negotiate(request.offer)
      this.replies.body(call, this.replies.out.initBody(answer))
      // A kernel of a later major version asks again, in ours.
      if (request.offer.major === answer.major) this.onReady(answer)
    } catch (error) {
      this.replies.fail(call, error)
      this.onReady(error as Error)
    }
  }
}

function wantsReply(opcode: number): boolean {
  return opcode !== OP.FORGET && opcode !== OP.BATCH_FORGET && opcode !== OP.INTERRUPT
}
