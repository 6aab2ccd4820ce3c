/** Changes of a file's size: one at a time, and writes wait for them, so that every write knows where the end is. */
import type { Changed, Inode } from '../metadata/types.js'
import type { VfsState } from './state.js'

export async function resize(s: VfsState, ino: number, change: () => Promise<Changed>): Promise<Inode> {
  for (let gate = s.table.get(ino)?.resizing; gate; gate = s.table.get(ino)?.resizing) await gate
  const entry = s.table.get(ino)
  let open = () => {}
  if (entry !== undefined) {
    entry.resizing = new Promise<void>((resolve) => {
      open = resolve
    })
  }
  try {
    return s.learn(await change())
  } finally {
    if (entry !== undefined) entry.resizing = null
    open()
  }
}
