/**
 * Mount options. fuse-native passes a few on; the rest travels in the name of the file system, which goes to libfuse as it is.
 *
 *   use_ino                      inode numbers are ours: hard links show the same one
 *   big_writes, max_write        writes of 128 KiB (the most that libfuse 2 can) instead of 4 KiB
 *   no_remote_lock               locks are the kernel's
 *   modules=iconv, from, to      names: fuse-native reads and writes UTF-8 and would change every other byte. With the view in
 *                                ISO 8859-1, each byte is one character below 256 and comes back as it was
 *   timeouts of 0                two names of a file are two files to the kernel here, and nothing can be invalidated: it asks
 *                                each time. As strings, because a zero is left out
 *
 * Not passed: suid, dev (libfuse 2 forbids both by itself), hard_remove (open files that are removed could not be read).
 */
import type Fuse from 'fuse-native'
import { assert } from '../../base/assert.js'

/** For all options together, with `-o` and a NUL. */
const OPTIONS_BYTES_MAX = 1024
const THE_REST = 'use_ino,big_writes,max_write=131072,no_remote_lock,from_code=UTF-8,to_code=ISO-8859-1'

export function mountOptions(
  source: string,
  options: { readonly allowOther: boolean; readonly readOnly: boolean },
): Fuse.Options {
  const fsname = `${source},${THE_REST}${options.readOnly ? ',ro' : ''}`
  assert(fsname.length < OPTIONS_BYTES_MAX / 2, 'the options have room')
  return {
    timeout: false,
    defaultPermissions: true,
    allowOther: options.allowOther,
    subtype: 'shardrive',
    modules: 'iconv',
    ...{ entryTimeout: '0', attrTimeout: '0', fsname },
  }
}
