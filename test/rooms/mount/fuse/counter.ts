/** The TypeScript half of the door without a kernel: request bytes in, reply bytes out. */
import { type Log, silentLog } from '../../../../src/base/log.js'
import { Dispatcher } from '../../../../src/mount/fuse/dispatch.js'
import type { FileSystem } from '../../../../src/mount/fuse/filesystem.js'
import type { InitAnswer } from '../../../../src/mount/fuse/init.js'
import { Replies } from '../../../../src/mount/fuse/replies.js'
import { ReplyBytes } from '../../../../src/mount/fuse/reply-bytes.js'
import { type Heard, KernelEar, kernelRequest, received, type Sent } from '../../../support/kernel-requests.js'
import { MemoryFileSystem } from '../../../support/memory-filesystem.js'

export interface Counter {
  readonly ear: KernelEar
  readonly replies: Replies
  readonly agreed: (InitAnswer | Error)[]
  /** Dispatches a request. */
  put(sent: Sent): void
  /** Dispatches a request and returns its only reply, which must be there at once. */
  ask(sent: Sent): Heard
}

export function openCounter(fs: FileSystem, log: Log = silentLog): Counter {
  const ear = new KernelEar()
  const out = new ReplyBytes(
    ear.out,
    { entrySec: 100, negativeSec: 200, attributesSec: 300 },
    { noFlush: fs.flush === undefined },
  )
  const replies = new Replies({ out, port: ear, log })
  const agreed: (InitAnswer | Error)[] = []
  const dispatcher = new Dispatcher({ fs, replies, log, onReady: (outcome) => agreed.push(outcome) })
  const put = (sent: Sent): void => dispatcher.dispatch(received(kernelRequest(sent)))
  const ask = (sent: Sent): Heard => {
    put(sent)
    return ear.take()
  }
  return { ear, replies, agreed, put, ask }
}

/** The memory file system with some methods replaced. */
export function fsWith(changes: object): MemoryFileSystem {
  return Object.assign(new MemoryFileSystem(), changes)
}
