/** Runs file-work as a process of its own, and empties caches. */
import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const SCRIPT = path.join(import.meta.dirname, 'file-work.js')
const END_MS = 600_000

export interface Worked {
  ms: number
  durableMs: number
  firstMs: number
}

export function work(kind: string, place: string, count: number, more = 0): Promise<Worked> {
  const words = [SCRIPT, kind, place, String(count), String(more)]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words, { timeout: END_MS }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${kind} ${place}: ${stderr || error.message}`))
      else resolve(JSON.parse(stdout))
    })
  })
}

/** The kernel's clean pages, names and inodes; false where only root may. */
export function dropKernelCaches(dir: string): boolean {
  spawnSync('sync', ['-f', dir])
  try {
    fs.writeFileSync('/proc/sys/vm/drop_caches', '3')
    return true
  } catch {
    return false
  }
}
