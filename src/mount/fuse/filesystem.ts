/**
 * What a door asks of a file system: one method per kernel request, typed, inode based. The vfs conforms; the
 * door (door.ts) calls. Nothing here knows the wire format of a kernel or an errno.
 *
 * Rules that hold for every method
 *  - The root has inode number 1. Inode numbers are safe integers > 0 and are never reused while mounted.
 *  - A method may answer at once or with a promise. Answer at once whenever nothing has to be waited for: the door
 *    then replies without a microtask. Methods run interleaved at their awaits; the door never serialises them.
 *  - Names, xattr names and values and link targets are Buffers of raw bytes (never empty, never with NUL or,
 *    for names, '/'; at most 1,024 bytes, so `name-too-long` is yours to say above 255). They are copies: keep them.
 *    The one exception is the `data` of write().
 *  - To fail, throw (or reject with) an AppError whose code is a FileSystemErrorCode. Anything else becomes EIO and
 *    is logged. The two frequent misses do not throw: lookup() answers null, getXattr() answers null.
 *  - Permissions: the kernel checks mode bits before it asks (`default_permissions`), the sticky bit included, and has
 *    applied the umask to `mode`. Left to the file system: setgid directories (a new entry takes the directory's gid,
 *    a new directory its setgid bit), read-only, quota, and the rules told at setAttributes() and killSuidGid.
 *  - Lookup counts: an inode number may be spoken by the kernel until it is forgotten. Each successful lookup (not
 *    null), create, tmpFile, makeNode, makeDirectory, makeSymlink and link adds one, as does each call of remember()
 *    (readdirplus, for the entries that fitted); forget() takes away. Root is never forgotten. Inodes
 *    with a count, a handle or a link must stay addressable (orphans!). When the mount ends, all counts and all
 *    handles are gone, without a forget() or release() for each.
 *  - The kernel trusts attributes, names and the absence of names for hours. A change that did not come through the
 *    door must be told to the mount's invalidate functions (door.ts), never from inside a method of this interface
 *    that the same inode is waiting for.
 */
export type MaybePromise<T> = T | Promise<T>

/** Codes of expected failures that have an errno of their own (errno.ts holds the table). */
export type FileSystemErrorCode =
  | 'not-found'
  | 'exists'
  | 'not-empty'
  | 'not-a-directory'
  | 'is-a-directory'
  | 'name-too-long'
  | 'no-space'
  | 'quota-exceeded'
  | 'read-only'
  | 'io-error'
  | 'invalid-argument'
  | 'not-permitted'
  | 'access-denied'
  | 'too-many-links'
  | 'not-supported'
  | 'no-data'
  | 'range'
  | 'too-big'
  | 'stale'
  | 'bad-handle'
  | 'no-such-position'
  | 'busy'
  | 'cross-device'
  | 'file-too-large'
  | 'too-many-symlinks'
  | 'interrupted'
  | 'timed-out'
  | 'offline'
  | 'too-many-open'
  | 'no-memory'

/** Who asks. uid, gid and pid are those of the calling thread; all 0 for what the kernel does on its own. */
export interface RequestContext {
  readonly uid: number
  readonly gid: number
  readonly pid: number
  /** Aborts when the caller was interrupted by a signal (or the mount ended). Made on first use. A method may then
   *  reject with `interrupted`, or finish as if nothing had happened. */
  readonly signal: AbortSignal
}

/** sec may be negative (before 1970); nsec is 0..999,999,999. Treated as immutable by the door. */
export interface Timestamp {
  readonly sec: number
  readonly nsec: number
}

export interface Attributes {
  readonly ino: number
  /** File type and permission bits, as st_mode. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  /** Device of character and block nodes, in the kernel's 32-bit encoding, as makeNode() got it; otherwise 0. */
  readonly rdev: number
  readonly size: number
  /** Allocated space in units of 512 bytes. */
  readonly blocks: number
  readonly atime: Timestamp
  readonly mtime: Timestamp
  readonly ctime: Timestamp
  readonly btime?: Timestamp | undefined
  /** Set for files whose content is made when read: the kernel then caches no attributes of it. */
  readonly volatile?: boolean | undefined
}

export interface OpenFlags {
  readonly read: boolean
  readonly write: boolean
  readonly append: boolean
  /** Cut the file to zero length on open (the kernel sends no separate setAttributes). */
  readonly truncate: boolean
  /** O_EXCL; for create() the name must not exist, for tmpFile() the file can never be linked. */
  readonly exclusive: boolean
  /** O_SYNC or O_DSYNC: each write is durable before it is answered. The kernel also sends fsync itself. */
  readonly sync: boolean
  readonly direct: boolean
  readonly noAtime: boolean
  /** With truncate: see killSuidGid at write(). */
  readonly killSuidGid: boolean
}

export interface OpenReply {
  /** Any safe integer >= 0, given back with every request on the handle. */
  readonly fh: number
  /** Keep what the page cache holds of this file. True unless its bytes changed behind the kernel's back. */
  readonly keepCache?: boolean
  /** Bypass the page cache: sizes are not trusted, every read comes here. For content made when read. */
  readonly directIo?: boolean
}

export interface CreateReply extends OpenReply {
  readonly attributes: Attributes
}

/** Only what is present changes. */
export interface AttributeChanges {
  /** Permission bits only (07777). */
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly size?: number
  readonly atime?: Timestamp | 'now'
  readonly mtime?: Timestamp | 'now'
  /** Only sent by kernels with a write-back cache; set it to now when absent. */
  readonly ctime?: Timestamp
  /** The handle of an ftruncate or futimens, when there is one. */
  readonly fh?: number
  /** With size: see killSuidGid at write(). */
  readonly killSuidGid: boolean
}

export interface DirectoryEntry {
  /** '.' and '..' are the file system's to list. */
  readonly name: Buffer
  readonly ino: number
  /** File type bits as in st_mode (S_IFMT part; permission bits are ignored). */
  readonly mode: number
  /** Position after this entry, > 0: what `offset` is when the listing continues behind it. Stays valid while the
   *  handle is open, also when entries before or after it come and go. */
  readonly cookie: number
  /** For readdirplus; an entry without them is listed and looked up by the kernel when needed. */
  readonly attributes?: Attributes | undefined
}

export interface FileSystemStatistics {
  readonly blockSize: number
  readonly blocks: number
  readonly blocksFree: number
  readonly blocksAvailable: number
  readonly files: number
  readonly filesFree: number
  readonly nameMax: number
}

/** zeroRange and punchHole are exclusive; neither means: allocate. Other modes never reach the file system. */
export interface AllocateFlags {
  readonly keepSize: boolean
  readonly punchHole: boolean
  readonly zeroRange: boolean
  /** See write(). Allocating and punching count as writing. */
  readonly killSuidGid: boolean
}

export interface FileSystem {
  /**
   * True: statx(2) shows birth times (Attributes.btime). The kernel cannot take them from a lookup: each inode then costs
   * one more request the first time that a program asks for them, and Node's and Rust's stat always ask.
   */
  readonly birthTimes?: boolean

  /** null: the name does not exist, and the kernel may remember that. */
  lookup(parent: number, name: Buffer, ctx: RequestContext): MaybePromise<Attributes | null>
  /** Unknown inode numbers are ignored. Answers at once. */
  forget(ino: number, count: number): void
  /** One more lookup of an inode that readDirectory() listed with attributes. Called before any other method. */
  remember(ino: number): void

  getAttributes(ino: number, fh: number | undefined, ctx: RequestContext): MaybePromise<Attributes>
  /** A change of owner or group always clears setuid, and setgid where the group may execute, except on directories. */
  setAttributes(ino: number, changes: AttributeChanges, ctx: RequestContext): MaybePromise<Attributes>

  readLink(ino: number, ctx: RequestContext): MaybePromise<Buffer>
  makeSymlink(parent: number, name: Buffer, target: Buffer, ctx: RequestContext): MaybePromise<Attributes>
  /** mode holds the type: regular, fifo, socket, character or block device. */
  makeNode(parent: number, name: Buffer, mode: number, rdev: number, ctx: RequestContext): MaybePromise<Attributes>
  /** mode: permission bits, without a type. */
  makeDirectory(parent: number, name: Buffer, mode: number, ctx: RequestContext): MaybePromise<Attributes>
  link(ino: number, newParent: number, newName: Buffer, ctx: RequestContext): MaybePromise<Attributes>
  unlink(parent: number, name: Buffer, ctx: RequestContext): MaybePromise<void>
  removeDirectory(parent: number, name: Buffer, ctx: RequestContext): MaybePromise<void>
  rename(
    parent: number,
    name: Buffer,
    newParent: number,
    newName: Buffer,
    flags: { readonly noReplace: boolean; readonly exchange: boolean },
    ctx: RequestContext,
  ): MaybePromise<void>

  open(ino: number, flags: OpenFlags, ctx: RequestContext): MaybePromise<OpenReply>
  /** mode: permission bits. An existing name is opened (unless flags.exclusive). */
  create(parent: number, name: Buffer, mode: number, flags: OpenFlags, ctx: RequestContext): MaybePromise<CreateReply>
  /** A file without a name (nlink 0); link() may give it one. */
  tmpFile(parent: number, mode: number, flags: OpenFlags, ctx: RequestContext): MaybePromise<CreateReply>
  /** One buffer or several in order, together at most `size`; less only at the end of the file. The door neither copies
   *  nor keeps them: they are handed to the kernel as soon as the answer is there. */
  read(
    ino: number,
    fh: number,
    offset: number,
    size: number,
    ctx: RequestContext,
  ): MaybePromise<Buffer | readonly Buffer[]>
  /**
   * `data` is a view of the door's request buffer and becomes invalid when the method returns (also when it returns a
   * promise): copy what is kept before the first await. At most 1 MiB. Answers the bytes taken, normally all.
   * `append`: write at the present end instead of `offset` (the doors never ask: their kernels choose the end). `killSuidGid`: clear setuid, and setgid
   * if the group may execute (the caller lacks CAP_FSETID). security.capability goes with every write and truncation.
   */
  write(
    ino: number,
    fh: number,
    offset: number,
    data: Buffer,
    options: { readonly append: boolean; readonly killSuidGid: boolean },
    ctx: RequestContext,
  ): MaybePromise<number>
  /** close(2) of one descriptor. Leave it out when there is nothing to say: the kernel then stops asking. */
  flush?(ino: number, fh: number, ctx: RequestContext): MaybePromise<void>
  fsync(ino: number, fh: number, dataOnly: boolean, ctx: RequestContext): MaybePromise<void>
  /** The last descriptor is gone. Exactly once per handle; failures reach nobody. */
  release(ino: number, fh: number, ctx: RequestContext): MaybePromise<void>
  allocate(
    ino: number,
    fh: number,
    offset: number,
    length: number,
    flags: AllocateFlags,
    ctx: RequestContext,
  ): MaybePromise<void>
  /** SEEK_DATA or SEEK_HOLE at or after offset; `no-such-position` beyond the end (and for data, after the last). */
  seek(ino: number, fh: number, offset: number, whence: 'data' | 'hole', ctx: RequestContext): MaybePromise<number>
  /** Answers the bytes copied; `not-supported` or `cross-device` makes the caller copy by reading and writing. */
  copyRange(
    from: { readonly ino: number; readonly fh: number; readonly offset: number },
    to: { readonly ino: number; readonly fh: number; readonly offset: number; readonly killSuidGid: boolean },
    length: number,
    ctx: RequestContext,
  ): MaybePromise<number>

  openDirectory(ino: number, ctx: RequestContext): MaybePromise<{ readonly fh: number }>
  /**
   * Entries behind `offset` (0 = from the start) in order; none = the end. The door takes as many as fit and asks again
   * with the cookie of the last one it took; `limit` is an upper bound of what can fit. `plus`: with attributes.
   */
  readDirectory(
    ino: number,
    fh: number,
    offset: number,
    limit: number,
    plus: boolean,
    ctx: RequestContext,
  ): MaybePromise<Iterable<DirectoryEntry>>
  releaseDirectory(ino: number, fh: number, ctx: RequestContext): MaybePromise<void>
  fsyncDirectory(ino: number, fh: number, dataOnly: boolean, ctx: RequestContext): MaybePromise<void>

  /** The whole value (the door sizes it); null: no such attribute. Kernel and programs ask often: be quick with null. */
  getXattr(ino: number, name: Buffer, ctx: RequestContext): MaybePromise<Buffer | null>
  listXattr(ino: number, ctx: RequestContext): MaybePromise<readonly Buffer[]>
  /** create: `exists` if it is there. replace: `no-data` if it is not. system.* (POSIX ACLs) never comes here. */
  setXattr(
    ino: number,
    name: Buffer,
    value: Buffer,
    flags: { readonly create: boolean; readonly replace: boolean },
    ctx: RequestContext,
  ): MaybePromise<void>
  removeXattr(ino: number, name: Buffer, ctx: RequestContext): MaybePromise<void>

  statistics(ctx: RequestContext): MaybePromise<FileSystemStatistics>
  /** syncfs(2), where the kernel passes it on. */
  syncAll(ctx: RequestContext): MaybePromise<void>
}
