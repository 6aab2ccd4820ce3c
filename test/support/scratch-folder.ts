/** A folder in memory where the system has one: thousands of small files and commits wait for no disk. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export function scratchFolder(): { folder: string; remove(): void } {
  const root = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
  // Begins like the run's folder for temporary files: what a killed test leaves is found by it.
  const folder = fs.mkdtempSync(path.join(root, `${path.basename(os.tmpdir())}-`))
  return { folder, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}
