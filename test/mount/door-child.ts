/**
 * Mounts a MemoryFileSystem in a process of its own: `door-child.js MOUNTPOINT [exit]`. Prints one JSON line when ready
 * and one at the end; SIGTERM unmounts; `exit` in the arguments calls process.exit() with the mount alive; with `stuck`
 * the first mkdir is never answered, and a notification that has to wait for it is sent; `portable`: through fuse-native.
 */
import { mountDoor } from '../../src/mount/fuse/door.js'
import { mountPortableDoor } from '../../src/mount/portable/door.js'
import { MemoryFileSystem } from '../support/memory-filesystem.js'

const [place = '', ...words] = process.argv.slice(2)
try {
  const fs = new MemoryFileSystem()
  const asked = new Promise<void>((resolve) => {
    if (words.includes('stuck')) Object.assign(fs, { makeDirectory: () => new Promise(() => resolve()) })
  })
  const door = await (words.includes('portable') ? mountPortableDoor : mountDoor)(place, { fs })
  process.on('SIGTERM', () => void door.unmount({ graceMs: 500 }))
  console.log(JSON.stringify({ ready: door.mountPoint }))
  if (words.includes('stuck')) {
    await asked
    void door.invalidateEntry(1, Buffer.from('a'))
    console.log(JSON.stringify({ notifying: true }))
  }
  if (words.includes('exit')) setTimeout(() => process.exit(3), 50)
  console.log(JSON.stringify({ ended: await door.ended }))
} catch (error) {
  const { code, hint } = error as { code?: string; hint?: string }
  console.log(JSON.stringify({ failed: code, hint }))
  process.exitCode = 1
}
