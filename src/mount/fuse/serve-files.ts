/** Requests on open files and directories. */
import { AppError } from '../../base/errors.js'
import type { Call } from './call.js'
import { entriesMax, packDirectory } from './directory-page.js'
import { ERRNO } from './errno.js'
import type { CreateReply, FileSystem } from './filesystem.js'
import { ENTRY_OUT } from './offsets.js'
import { OP } from './opcodes.js'
import type { Replies } from './replies.js'
import type { Request } from './request.js'
import type { Serve, Services } from './serve-names.js'

/** The answer of COPY_FILE_RANGE has 32 bits; copies end on a page. */
const COPY_32_MAX = 0x7ffff000

const readDirectory: Serve<typeof OP.READDIR | typeof OP.READDIRPLUS> = (fs, to, call, r) => {
  const plus = r.op === OP.READDIRPLUS
  const size = Math.min(r.size, to.out.room)
  to.settle(call, fs.readDirectory(r.ino, r.fh, r.offset, entriesMax(size, plus), plus, call), (entries) => {
    const counted: number[] = []
    const used = packDirectory(to.out, entries, size, plus, (ino) => {
      fs.remember(ino)
      counted.push(ino)
    })
    if (!to.body(call, used)) for (const ino of counted) fs.forget(ino, 1)
  })
}

/** These requests do not say whether the caller has CAP_FSETID; root is who usually has. */
const isOrdinary = (call: Call): boolean => call.uid !== 0

const copyRange: Serve<typeof OP.COPY_FILE_RANGE | typeof OP.COPY_FILE_RANGE_64> = (fs, to, call, r) => {
  const wide = r.op === OP.COPY_FILE_RANGE_64
  const length = wide ? r.length : Math.min(r.length, COPY_32_MAX)
  const from = { ino: r.ino, fh: r.fh, offset: r.offset }
  const target = { ino: r.toIno, fh: r.toFh, offset: r.toOffset, killSuidGid: isOrdinary(call) }
  to.settle(call, fs.copyRange(from, target, length, call), (copied) => {
    if (target.killSuidGid) to.dropClearedMode(target.ino)
    to.body(call, to.out.u64Body(copied))
  })
}

function replyCreated(fs: FileSystem, to: Replies, call: Call, created: CreateReply): void {
  to.out.entryBody(created.attributes)
  if (to.body(call, to.out.openBody(created, ENTRY_OUT.size))) return
  fs.forget(created.attributes.ino, 1)
  releaseUnseen(fs, created.attributes.ino, created.fh, call)
}

/** The kernel never learned of this handle, so it will not release it. */
function releaseUnseen(fs: FileSystem, ino: number, fh: number, call: Call): void {
  const released = fs.release(ino, fh, call)
  if (released instanceof Promise) released.catch(() => undefined)
}

export const FILE_SERVICES = {
  [OP.OPEN]: (fs, to, call, r) => {
    to.settle(call, fs.open(r.ino, r.flags, call), (opened) => {
      if (r.flags.killSuidGid) to.dropClearedMode(r.ino)
      if (!to.body(call, to.out.openBody(opened))) releaseUnseen(fs, r.ino, opened.fh, call)
    })
  },
  [OP.CREATE]: (fs, to, call, r) => {
    to.settle(call, fs.create(r.ino, r.name, r.mode, r.flags, call), (created) => replyCreated(fs, to, call, created))
  },
  [OP.TMPFILE]: (fs, to, call, r) => {
    to.settle(call, fs.tmpFile(r.ino, r.mode, r.flags, call), (created) => replyCreated(fs, to, call, created))
  },
  [OP.READ]: (fs, to, call, r) => {
    to.settle(call, fs.read(r.ino, r.fh, r.offset, r.size, call), (data) => {
      const size = Buffer.isBuffer(data) ? data.length : data.reduce((sum, part) => sum + part.length, 0)
      if (size > r.size) throw new AppError('io-error', 'more bytes were read than asked for')
      to.bytes(call, data)
    })
  },
  [OP.WRITE]: (fs, to, call, r) => {
    const written = fs.write(r.ino, r.fh, r.offset, r.data, { append: false, killSuidGid: r.killSuidGid }, call)
    to.settle(call, written, (count) => {
      if (r.killSuidGid) to.dropClearedMode(r.ino)
      to.body(call, to.out.u32Body(count))
    })
  },
  [OP.FLUSH]: (fs, to, call, r) => {
    if (fs.flush === undefined) to.error(call, ERRNO.ENOSYS)
    else to.settle(call, fs.flush(r.ino, r.fh, call), () => to.empty(call))
  },
  [OP.FSYNC]: (fs, to, call, r) => {
    to.settle(call, fs.fsync(r.ino, r.fh, r.dataOnly, call), () => to.empty(call))
  },
  [OP.RELEASE]: (fs, to, call, r) => {
    to.settle(call, fs.release(r.ino, r.fh, call), () => to.empty(call))
  },
  [OP.FALLOCATE]: (fs, to, call, r) => {
    if (r.flags === undefined) {
      to.error(call, ERRNO.EOPNOTSUPP)
      return
    }
    const flags = { ...r.flags, killSuidGid: isOrdinary(call) }
    to.settle(call, fs.allocate(r.ino, r.fh, r.offset, r.length, flags, call), () => {
      if (flags.killSuidGid) to.dropClearedMode(r.ino)
      to.empty(call)
    })
  },
  [OP.LSEEK]: (fs, to, call, r) => {
    if (r.whence === undefined) to.error(call, ERRNO.EINVAL)
    else
      to.settle(call, fs.seek(r.ino, r.fh, r.offset, r.whence, call), (found) => to.body(call, to.out.u64Body(found)))
  },
  [OP.COPY_FILE_RANGE]: copyRange,
  [OP.COPY_FILE_RANGE_64]: copyRange,
  [OP.OPENDIR]: (fs, to, call, r) => {
    to.settle(call, fs.openDirectory(r.ino, call), (opened) => {
      if (to.body(call, to.out.openBody({ fh: opened.fh, keepCache: false }))) return
      const released = fs.releaseDirectory(r.ino, opened.fh, call)
      if (released instanceof Promise) released.catch(() => undefined)
    })
  },
  [OP.READDIR]: readDirectory,
  [OP.READDIRPLUS]: readDirectory,
  [OP.RELEASEDIR]: (fs, to, call, r) => {
    to.settle(call, fs.releaseDirectory(r.ino, r.fh, call), () => to.empty(call))
  },
  [OP.FSYNCDIR]: (fs, to, call, r) => {
    to.settle(call, fs.fsyncDirectory(r.ino, r.fh, r.dataOnly, call), () => to.empty(call))
  },
} satisfies Partial<Services<Request['op']>>
