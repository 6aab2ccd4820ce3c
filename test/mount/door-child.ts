/**
 * Mounts a MemoryFileSystem in a process of its own: `door-child.js MOUNTPOINT [exit]`. Prints one JSON line when ready
 * and one at the end; SIGTERM unmounts; `exit` in the arguments calls process.exit() with the mount alive.
 */
import { mountDoor } from '../../src/mount/fuse/door.js'
import { MemoryFileSystem } from '../support/memory-filesystem.js'

const [place = '', ...words] = process.argv.slice(2)
try {
  const door = await mountDoor(place, { fs: new MemoryFileSystem() })
  console.log(JSON.stringify({ ready: door.mountPoint, protocolMinor: door.protocolMinor }))
  process.on('SIGTERM', () => void door.unmount())
  if (words.includes('exit')) setTimeout(() => process.exit(3), 50)
  console.log(JSON.stringify({ ended: await door.ended }))
} catch (error) {
  console.log(JSON.stringify({ failed: (error as { code?: string }).code }))
  process.exitCode = 1
}
