/** What the kernel may ask, decoded. `ino` is the inode that the request is addressed to. */
import type { AllocateFlags, AttributeChanges, OpenFlags } from './filesystem.js'
import type { OP } from './opcodes.js'

type Op = typeof OP

export interface Header {
  readonly opcode: number
  readonly uniqueLow: number
  readonly uniqueHigh: number
  readonly ino: number
  readonly uid: number
  readonly gid: number
  readonly pid: number
}

interface At {
  readonly ino: number
}
interface Named extends At {
  readonly name: Buffer
}
interface Handle extends At {
  readonly fh: number
}

export type Request =
  | (Named & { readonly op: Op['LOOKUP'] | Op['UNLINK'] | Op['RMDIR'] | Op['REMOVEXATTR'] })
  | (At & { readonly op: Op['FORGET']; readonly count: number })
  | (At & { readonly op: Op['BATCH_FORGET']; readonly forgets: readonly (readonly [ino: number, count: number])[] })
  | (At & { readonly op: Op['GETATTR'] | Op['STATX']; readonly fh: number | undefined })
  | (At & { readonly op: Op['SETATTR']; readonly changes: AttributeChanges })
  | (At & { readonly op: Op['READLINK'] | Op['STATFS'] | Op['OPENDIR'] | Op['DESTROY'] | Op['SYNCFS'] })
  | (Named & { readonly op: Op['SYMLINK']; readonly target: Buffer })
  | (Named & { readonly op: Op['MKNOD']; readonly mode: number; readonly rdev: number })
  | (Named & { readonly op: Op['MKDIR']; readonly mode: number })
  | (Named & {
      readonly op: Op['RENAME'] | Op['RENAME2']
      readonly newParent: number
      readonly newName: Buffer
      readonly flags: number
    })
  | (At & { readonly op: Op['LINK']; readonly target: number; readonly name: Buffer })
  | (At & { readonly op: Op['OPEN']; readonly flags: OpenFlags })
  | (Named & { readonly op: Op['CREATE']; readonly mode: number; readonly flags: OpenFlags })
  | (At & { readonly op: Op['TMPFILE']; readonly mode: number; readonly flags: OpenFlags })
  | (Handle & {
      readonly op: Op['READ'] | Op['READDIR'] | Op['READDIRPLUS']
      readonly offset: number
      readonly size: number
    })
  | (Handle & {
      readonly op: Op['WRITE']
      readonly offset: number
      /** A view of the request buffer. */
      readonly data: Buffer
      readonly killSuidGid: boolean
    })
  | (Handle & { readonly op: Op['RELEASE'] | Op['RELEASEDIR'] | Op['FLUSH'] })
  | (Handle & { readonly op: Op['FSYNC'] | Op['FSYNCDIR']; readonly dataOnly: boolean })
  | (Named & {
      readonly op: Op['SETXATTR']
      readonly value: Buffer
      readonly create: boolean
      readonly replace: boolean
    })
  | (Named & { readonly op: Op['GETXATTR']; readonly room: number })
  | (At & { readonly op: Op['LISTXATTR']; readonly room: number })
  | (At & { readonly op: Op['INIT']; readonly offer: InitOffer })
  | (At & { readonly op: Op['INTERRUPT']; readonly uniqueLow: number; readonly uniqueHigh: number })
  | (Handle & {
      readonly op: Op['FALLOCATE']
      readonly offset: number
      readonly length: number
      /** undefined: a mode that is not supported. */
      readonly flags: Omit<AllocateFlags, 'killSuidGid'> | undefined
    })
  | (Handle & { readonly op: Op['LSEEK']; readonly offset: number; readonly whence: 'data' | 'hole' | undefined })
  | (Handle & {
      readonly op: Op['COPY_FILE_RANGE'] | Op['COPY_FILE_RANGE_64']
      readonly offset: number
      readonly toIno: number
      readonly toFh: number
      readonly toOffset: number
      readonly length: number
    })
  | (At & {
      readonly op: Op['IOCTL']
      readonly command: number
      /** Bytes that the answer has. */
      readonly outSize: number
      /** What is handed in, if anything, says nothing. */
      readonly allZero: boolean
    })
  | { readonly op: Op['ACCESS']; readonly ino: number }
  /** A request that this program does not know. */
  | { readonly op: 0; readonly ino: number }

type Having<R, K> = R extends { readonly op: infer Q } ? (K extends Q ? R : never) : never
export type RequestOf<K extends Request['op']> = Having<Request, K>

export interface InitOffer {
  readonly major: number
  readonly minor: number
  readonly maxReadahead: number
  readonly flagsLow: number
  readonly flagsHigh: number
}
