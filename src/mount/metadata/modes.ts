/** Bits of st_mode, as Linux has them; the formats use the same numbers on every system. */
export const S_IFMT = 0o170000
export const S_IFSOCK = 0o140000
export const S_IFLNK = 0o120000
export const S_IFREG = 0o100000
export const S_IFBLK = 0o060000
export const S_IFDIR = 0o040000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_IXGRP = 0o010
export const PERMISSIONS = 0o7777

const TYPES = new Set([S_IFSOCK, S_IFLNK, S_IFREG, S_IFBLK, S_IFDIR, S_IFCHR, S_IFIFO])

export function typeOf(mode: number): number {
  return mode & S_IFMT
}

/** A mode that an inode may have: one known type, permission bits, nothing else. */
export function isMode(mode: number): boolean {
  return TYPES.has(mode & S_IFMT) && (mode & ~(S_IFMT | PERMISSIONS)) === 0
}

/** What is left of a mode when an unprivileged change must not keep privileges: setuid goes, setgid goes where the
 *  group may execute (elsewhere the bit means mandatory locking). */
export function withoutPrivileges(mode: number): number {
  if (typeOf(mode) === S_IFDIR) return mode
  const kept = mode & ~S_ISUID
  return kept & S_IXGRP ? kept & ~S_ISGID : kept
}
