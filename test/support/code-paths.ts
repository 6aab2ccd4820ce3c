/** Runs a test on every code path of the native codec that this machine has. */
import { type CodePath, codecAddon } from '../../src/addon/codec.js'

export async function onEveryPath(body: (path: CodePath) => void | Promise<void>): Promise<void> {
  const codec = codecAddon()
  try {
    for (const path of codec.capability().available) {
      codec.setPath(path)
      await body(path)
    }
  } finally {
    codec.setPath('auto')
  }
}
