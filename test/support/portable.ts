/** Whether the portable door can be tried here. */
import { loadFuseNative } from '../../src/mount/portable/library.js'
import { noMounts } from './mounts.js'

/** undefined, or why nothing can be mounted through fuse-native here. */
export async function noPortableDoor(): Promise<string | false> {
  const without = noMounts()
  if (without !== false) return without
  try {
    await loadFuseNative()
    return false
  } catch (error) {
    return `fuse-native does not load: ${(error as Error).message}`
  }
}
