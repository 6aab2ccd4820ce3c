/**
 * Which inodes the kernel believes to be setuid or setgid files. A write or truncation by an ordinary caller makes the
 * file system clear those bits, and the kernel, which asked for it (HANDLE_KILLPRIV_V2), keeps its cached mode all the
 * same: so it is told to drop it, before the answer, whenever it may hold one of these.
 */
const TYPE_MASK = 0o170000
const DIRECTORY = 0o040000
const SUID_SGID = 0o6000
/** Drives hold few of them. Beyond this, every such write drops the cached attributes. */
const INODES_MAX = 65_536

export class PrivilegedInodes {
  private readonly inodes = new Set<number>()
  private overflown = false

  /** The kernel is being told this mode. */
  note(ino: number, mode: number): void {
    if ((mode & SUID_SGID) !== 0 && (mode & TYPE_MASK) !== DIRECTORY) {
      if (this.inodes.size < INODES_MAX) this.inodes.add(ino)
      else this.overflown = true
    } else if (this.inodes.size > 0) {
      this.inodes.delete(ino)
    }
  }

  /** True when the kernel's cached mode may still hold the bits; it is then taken as told. */
  take(ino: number): boolean {
    return this.inodes.delete(ino) || this.overflown
  }
}
